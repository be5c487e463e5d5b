"""A child whose polls come through a sidecar: when it is started, and when it is ended."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.adapters.command import behind_proxy
from tests.unit.adapters.runs_on_virtual_time import Kind, Process, World, on_virtual_time


def test_behind_a_proxy_a_child_that_never_polls_is_ended_and_started_anew() -> None:
    """Ninety seconds are enough for a first poll; the sweep comes once a second."""

    async def story(world: World) -> None:
        process = Process(world, "a", Kind(cleaning=2.0), hold=behind_proxy.hold)
        await asyncio.sleep(100)
        first, second = process.times("began")
        assert process.times("ended") == [pytest.approx(first + 93.0, abs=1.1)]
        assert second == pytest.approx(process.times("ended")[0], abs=0.2)

    on_virtual_time(story)


def test_behind_a_proxy_a_handover_does_not_wait_for_the_childs_end() -> None:
    """The proxy gives it nothing any more; it is ended while the heir's child begins."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind(cleaning=8.0), hold=behind_proxy.hold)
        await asyncio.sleep(1)
        second = Process(world, "b", Kind(), hold=behind_proxy.hold)
        await asyncio.sleep(9)
        first.instance.hand_over()
        await asyncio.sleep(20)
        assert second.times("began") == [pytest.approx(10.0, abs=0.2)]
        assert first.times("ended") == [pytest.approx(18.0, abs=0.2)]
        assert len(first.children) == 1

    on_virtual_time(story)


def test_behind_a_proxy_an_end_of_its_own_releases_the_claim() -> None:
    """The code is passed on, and a peer takes over at once."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind(lasts=20.0, code=5), hold=behind_proxy.hold)
        await asyncio.sleep(1)
        second = Process(world, "b", Kind(), hold=behind_proxy.hold)
        await asyncio.sleep(30)
        assert first.task.result() == 5
        assert second.times("began") == pytest.approx(first.times("ended"), abs=0.2)

    on_virtual_time(story)
