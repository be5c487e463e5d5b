"""Instances on one store in memory, and a peer that polls: what the adapters' tests stand on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from onepoller import OnePoller
from onepoller.coordination.events import Event
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Offset

BOT = 7000000001


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, which is what the adapters are for."""
    return "asyncio"


@pytest.fixture
def events() -> list[Event]:
    """Give the events of `poller`, in their order."""
    return []


@pytest.fixture
def make_poller() -> Iterator[Callable[..., OnePoller]]:
    """Give a function that makes instances which meet in one store."""
    store = MemoryStore()
    made: list[OnePoller] = []

    def make(**settings: Any) -> OnePoller:
        made.append(OnePoller(store=store, environment={}, **{"on_rival": "hold"} | settings))
        return made[-1]

    yield make
    for poller in made:
        poller.close()


@pytest.fixture
def poller(make_poller: Callable[..., OnePoller], events: list[Event]) -> OnePoller:
    """Give the instance under test."""
    return make_poller(listeners=[events.append])


@pytest.fixture
def handed_over(poller: OnePoller) -> Callable[[str], None]:
    """Give a function after which the former holder had acknowledged up to 9, at this API root."""

    def with_offset(api_root: str) -> None:
        floor = Offset(value=9, api_root=api_root, at=time.time())
        poller.guard(BotId(BOT)).offsets.start_term(floor)

    return with_offset


@pytest.fixture
def peer_at_work(make_poller: Callable[..., OnePoller]) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Give a block in which another instance holds the claim and polls."""

    @asynccontextmanager
    async def at_work() -> AsyncIterator[None]:
        polls = asyncio.Event()

        async def call(_method: str, _parameters: dict[str, Any]) -> dict[str, Any]:
            polls.set()
            await asyncio.Event().wait()
            raise AssertionError

        peer = make_poller(label="peer")
        task = asyncio.create_task(peer.get_updates(BOT, call, timeout=50))
        await polls.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    return at_work
