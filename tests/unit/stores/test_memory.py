"""What the store in memory promises beyond the contract."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.in_process import in_process_store
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch, Claim, Liveness, Swap
from onepoller.testing.store_contract.rig import identity


def test_the_deadline_is_on_the_injected_clock() -> None:
    """Last beat, plus lease, less margin."""

    async def body() -> float:
        store = MemoryStore(lease=10, margin=2, clock=lambda: 500.0)
        return (await store.open(identity())).deadline

    assert asyncio.run(body()) == 508


def test_a_killed_session_is_silent_at_once() -> None:
    """As after SIGKILL on the file store, no lease has to pass."""

    async def body() -> Liveness:
        store = MemoryStore(clock=lambda: 0.0)
        session = await store.open(identity())
        store.kill(session.id)
        return (await store.read()).sessions[session.id].liveness

    assert asyncio.run(body()) is Liveness.SILENT


def test_a_killed_session_does_nothing_more() -> None:
    """Its process is gone, so its calls are refused."""

    async def body() -> None:
        store = MemoryStore(clock=lambda: 0.0)
        session = await store.open(identity())
        store.kill(session.id)
        await store.beat(session)

    with pytest.raises(SessionOver):
        asyncio.run(body())


def test_terms_begin_where_they_are_told_to() -> None:
    """A simulation sets the first term."""

    async def body() -> int:
        store = MemoryStore(first_term=Term(77))
        session = await store.open(identity())
        swap = Swap(claim=Claim(bot_id=BotId(1), holder=session.id))
        return (await store.swap(session, Batch(swaps=[swap]))).written[BotId(1)].term

    assert asyncio.run(body()) == 77


def test_sessions_that_are_over_are_forgotten() -> None:
    """A long life with many sessions does not fill the memory."""

    async def body() -> int:
        store = MemoryStore()
        for _ in range(10):
            await store.close(await store.open(identity()))
        await store.open(identity())
        return len((await store.read()).sessions)

    assert asyncio.run(body()) == 1


def test_a_process_has_one_store_of_its_own() -> None:
    """All who fall back to it meet there."""
    assert in_process_store(lease=10) is in_process_store(lease=10)
