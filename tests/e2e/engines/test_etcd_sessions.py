"""Sessions on an etcd: ended on a proof, gone after a close, forgotten when nobody needs to know them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, SessionId, Term, boot_clock
from onepoller.coordination.stores.etcd import housekeeping
from onepoller.coordination.stores.etcd.watch import Watch
from onepoller.coordination.stores.seam import Batch, Liveness, Swap
from tests.e2e.engines.etcd_calls import call, count, me, on, take, take_over
from tests.e2e.engines.servers import Etcd

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOT = BotId(7000000001)


def leases(server: Etcd) -> set[str]:
    """The leases that the server has."""
    return {lease["ID"] for lease in call(server, "lease/leases").get("leases", ())}


async def test_a_session_that_is_proved_dead_is_over_at_once(etcd_server: Etcd) -> None:
    """For everybody; whatever it had can be taken, its watchers hear of it, and its lease is gone."""
    dying, heir, third = (on(etcd_server, "proved", lease=60.0, slow_look=60.0) for _ in range(3))
    dead, own = await dying.open(me()), await heir.open(me())
    await dying.swap(dead, take([BOT], dead))
    watch = heir.watch(own)
    await anext(watch)
    held = leases(etcd_server)
    await heir.end(own, dead.id)
    async with asyncio.timeout(20):
        while (await anext(watch)).session != dead.id:
            continue
    assert len(held - leases(etcd_server)) == 1
    seen = await third.read()
    assert seen.sessions[dead.id].liveness is Liveness.OVER
    with pytest.raises(SessionOver):
        await dying.beat(dead)
    assert (await heir.swap(own, take_over([*seen.claims.values()], own, dead.id))).written
    await heir.close(own)
    await dying.close(dead)


async def test_nobody_ends_what_is_not_there(etcd_server: Etcd) -> None:
    """An unknown session, or as one that is over itself."""
    store = on(etcd_server, "nobody")
    own = await store.open(me())
    await store.end(own, SessionId("unknown"))
    await store.close(own)
    with pytest.raises(SessionOver):
        await store.end(own, SessionId("unknown"))


async def test_a_close_leaves_the_claims_and_nothing_else(etcd_server: Etcd) -> None:
    """Of ten bots: ten claims, when our data began, and the generation."""
    store = on(etcd_server, "closed")
    before = leases(etcd_server)
    own = await store.open(me())
    bots = [BotId(number) for number in range(10)]
    await store.swap(own, take(bots, own))
    await store.beat(own, report=b"report")
    await store.close(own)
    assert count(etcd_server, "closed") == len(bots) + 2
    assert leases(etcd_server) <= before


@pytest.mark.parametrize(("lease", "on_the_server"), [(3.0, "2"), (4.5, "4"), (10.0, "9")])
async def test_on_the_server_a_lease_is_a_second_shorter(
    etcd_server: Etcd, lease: float, on_the_server: str
) -> None:
    """It ends each up to half a second late; our own deadline is by the shorter one."""
    before = leases(etcd_server)
    store = on(etcd_server, "shorter", lease=lease)
    opened_at = boot_clock()
    own = await store.open(me())
    (lease_id,) = leases(etcd_server) - before
    assert call(etcd_server, "lease/timetolive", ID=lease_id)["grantedTTL"] == on_the_server
    assert own.deadline - opened_at < float(on_the_server)
    assert (await store.read()).sessions[own.id].lease == lease
    await store.close(own)


async def test_who_crashes_again_and_again_leaves_little_behind(etcd_server: Etcd) -> None:
    """Of sessions that died only a few are kept, and the one that a claim names."""
    stores = [on(etcd_server, "crashes") for _ in range(2 * housekeeping.MANY)]
    dead = [await store.open(me()) for store in stores]
    await stores[0].swap(dead[0], take([BOT], dead[0]))
    watcher = on(etcd_server, "crashes", lease=60.0)
    own = await watcher.open(me())
    alive = {session.id for session in dead}
    async for change in watcher.watch(own):  # the server tells of each lease that ends
        alive.discard(change.session or own.id)
        if not alive:
            break
    await watcher.close(own)
    again = await watcher.open(me())
    assert set((await watcher.read()).sessions) == {dead[0].id, again.id}
    for store, session in zip(stores, dead, strict=True):
        await store.close(session)
    await watcher.close(again)


async def test_a_claim_out_of_an_old_copy_is_raised_with_its_next_write(etcd_server: Etcd) -> None:
    """No term that is written is below what the beginning gives."""
    store = on(etcd_server, "raised")
    own = await store.open(me())
    claim = (await store.swap(own, take([BOT], own))).written[BOT]
    low = Batch(swaps=[Swap(claim=replace(claim, term=Term(7)))])
    assert (await store.swap(own, low)).written[BOT].term == claim.term
    await store.close(own)


async def hears(etcd_server: Etcd, prefix: str, *, slow_look: float) -> None:
    """One is woken by another, and hears of its end."""
    first, second = (
        on(etcd_server, prefix, lease=60.0),
        on(etcd_server, prefix, slow_look=slow_look, lease=60.0),
    )
    waker, sleeper = await first.open(me()), await second.open(me())
    watch = second.watch(sleeper)
    async with asyncio.timeout(20):
        await anext(watch)
        await first.swap(waker, replace(take([BOT], waker), wake=[sleeper.id]))
        await anext(watch)
        assert (await second.read([BOT])).claims[BOT].holder == waker.id
        await first.close(waker)
        while (await anext(watch)).session != waker.id:
            continue
    await second.close(sleeper)


def test_what_happens_is_told_at_once(etcd_server: Etcd) -> None:
    """By the server, without a look."""
    asyncio.run(hears(etcd_server, "told", slow_look=60.0))


def test_a_stream_that_tells_nothing_is_not_relied_on(
    etcd_server: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow look finds all the same what happened."""
    monkeypatch.setattr(Watch, "_hear", lambda *_, **__: None)
    asyncio.run(hears(etcd_server, "untold", slow_look=0.05))
