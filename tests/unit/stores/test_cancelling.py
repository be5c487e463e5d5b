"""Whoever ends a task of its own can be ended meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.coordination.stores.cancelling import cancel
from onepoller.testing.virtual import run_virtual


async def slow_to_end() -> None:
    """It takes ten seconds to say goodbye."""
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(10)


def test_a_task_has_ended_when_its_cancelling_returns() -> None:
    """However long it takes."""

    async def main() -> None:
        task = asyncio.ensure_future(slow_to_end())
        await asyncio.sleep(1)
        await cancel(task)
        assert (task.cancelled(), asyncio.get_running_loop().time()) == (True, 11)

    run_virtual(main())


def test_a_cancellation_of_the_one_who_waits_is_its_own() -> None:
    """It is not taken for that of the task."""

    async def main() -> None:
        task = asyncio.ensure_future(slow_to_end())
        await asyncio.sleep(1)
        waiting = asyncio.ensure_future(cancel(task))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait({task})

    run_virtual(main())


def test_what_a_task_raises_on_its_way_out_is_raised() -> None:
    """A defect is not lost."""

    async def broken() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise KeyError("defect")

    async def main() -> None:
        task = asyncio.ensure_future(broken())
        await asyncio.sleep(1)
        with pytest.raises(KeyError):
            await cancel(task)

    run_virtual(main())
