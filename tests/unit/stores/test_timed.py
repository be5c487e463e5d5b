"""What a store's operations take is told, and when."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.events import Event, StoreCalled
from onepoller.coordination.identity import own_identity
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch
from onepoller.coordination.stores.timed import TimedStore
from onepoller.testing.virtual import run_virtual


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Operations and errors, in order."""
    return [(event.operation, event.error) for event in events if isinstance(event, StoreCalled)]


def test_a_write_is_told_once_the_poll_that_follows_it_is_on_its_way() -> None:
    """Not at once: whoever has got a claim would wait for the listeners."""

    async def body() -> None:
        events: list[Event] = []
        store = TimedStore(MemoryStore(clock=asyncio.get_running_loop().time), events.append)
        session = await store.open(own_identity())
        await store.swap(session, Batch())
        await store.swap(session, Batch())
        at_once = told(events)
        await asyncio.sleep(0.1)

        assert at_once == [("open", "")]
        assert told(events) == [("open", ""), ("swap", ""), ("swap", "")]

    run_virtual(body())


def test_a_close_tells_what_is_untold() -> None:
    """The loop may end with it."""

    async def body() -> None:
        events: list[Event] = []
        store = TimedStore(MemoryStore(clock=asyncio.get_running_loop().time), events.append)
        session = await store.open(own_identity())
        await store.swap(session, Batch())
        await store.close(session)

        assert told(events) == [("open", ""), ("swap", ""), ("close", "")]

    run_virtual(body())


def test_a_failure_is_told_by_its_name() -> None:
    """And raised."""

    async def body() -> None:
        events: list[Event] = []
        store = TimedStore(MemoryStore(clock=asyncio.get_running_loop().time), events.append)
        session = await store.open(own_identity())
        await store.close(session)
        with pytest.raises(SessionOver):
            await store.swap(session, Batch())
        await asyncio.sleep(0.1)

        assert told(events)[-1] == ("swap", "SessionOver")

    run_virtual(body())
