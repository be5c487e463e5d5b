"""What a server has lost is not taken by anybody while the one who had it may still deliver."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import BotId, Term, own_identity
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.seam import Batch, Claim, Liveness, Session, Store, Swap
from tests.e2e.engines.engine_kinds import ENGINES, Engine
from tests.e2e.engines.servers import Require

pytestmark = pytest.mark.slow
BOT = BotId(42)
LOSSES = [
    pytest.param(engine, loss, id=f"{engine.name}-{loss}") for engine in ENGINES for loss in engine.losses
]
PATIENCE = 45.0


async def reopened(store: Store, session: Session) -> Session:
    """Beat until the store says that the session is over, and open the next one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await store.beat(session)
                await asyncio.sleep(0.05)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            except SessionOver:
                break
        await store.close(session)
        while True:
            try:
                return await store.open(own_identity())
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def taken(store: Store, session: Session) -> Claim:
    """Take the bot as soon as the store says that it may be taken, which may last longer than a lease."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await store.beat(session)
            seen = await store.read({BOT})
            claim = seen.claims[BOT]
            holder = None if claim.holder is None else seen.sessions.get(claim.holder)
            if holder is None or holder.liveness is not Liveness.ALIVE:
                ours = replace(claim, holder=session.id, term=Term(claim.term + 1))
                swap = Swap(claim=ours, requires_over=claim.holder)
                written = (await store.swap(session, Batch(swaps=[swap]))).written
                if BOT in written:
                    return written[BOT]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("engine", "loss"), LOSSES)
def test_a_claim_that_was_lost_is_free_for_others_when_its_holder_has_stopped(
    require_program: Require, tmp_path: Path, engine: Engine, loss: str
) -> None:
    """The holder hears nothing of it, and its deadline has not passed; the other one had a session too."""
    server = engine.make(require_program, tmp_path / "server").start()

    async def play() -> None:
        chosen = [
            choose(engine.url(server, server.port), state_dir=tmp_path / host, lease=engine.lease)
            for host in ("one", "two")
        ]
        holder_store, other_store = (one.make() for one in chosen)
        holder = await holder_store.open(own_identity())
        before = await taken(holder_store, holder)
        other = await other_store.open(own_identity())
        await holder_store.beat(holder)
        await other_store.beat(other)
        await asyncio.to_thread(engine.losses[loss], server)
        other = await reopened(other_store, other)
        after = await taken(other_store, other)
        still_delivers = holder.has_claim(BOT, before.term)
        for store, session in ((other_store, other), (holder_store, holder)):
            await store.close(session)
        assert not still_delivers
        assert after.term > before.term

    try:
        asyncio.run(play())
    finally:
        server.close()
