"""etcd loses what it was told, stands still, or is away: no term goes back, and everything returns."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import pytest

from onepoller.coordination.errors import SessionOver, StoreFull, StoreUnavailable
from onepoller.coordination.identity import BotId, boot_clock
from onepoller.coordination.stores.etcd import EtcdStore
from onepoller.coordination.stores.seam import Change, Claim, Liveness, Session
from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import AT_ONCE, Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.etcd_calls import call, delete_all, me, on, take
from tests.e2e.engines.servers import Etcd, OwnServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOT = BotId(7000000001)


@pytest.fixture
def server(own_server: OwnServer) -> Etcd:
    """Give an etcd that the test may end."""
    return cast("Etcd", own_server(Etcd))


async def taken(store: EtcdStore, session: Session, bot_id: BotId = BOT) -> Claim:
    """Take a claim that was never written."""
    return (await store.swap(session, take([bot_id], session))).written[bot_id]


async def is_over(store: EtcdStore, session: Session) -> bool:
    """Whether a beat is refused for good."""
    try:
        await store.beat(session, confirm=True)
    except SessionOver:
        return True
    return False


async def opened_anew(store: EtcdStore, session: Session) -> Session:
    """What an instance does once a beat has been refused for good."""
    assert await is_over(store, session)
    await store.close(session)
    return await store.open(me())


async def changes(store: EtcdStore, session: Session) -> AsyncGenerator[Change, None]:
    """What an instance does: watch, and again after trouble."""
    while True:
        try:
            async for change in store.watch(session):
                yield change
        except StoreUnavailable:
            await asyncio.sleep(0.05)


async def keep_alive(store: EtcdStore, session: Session) -> None:
    """Beat."""
    while True:
        await asyncio.sleep(0.3)
        await store.beat(session)


async def to_the_end(watch: AsyncIterator[Change]) -> None:
    """Take all that comes."""
    async for _ in watch:
        continue


async def test_what_an_administrator_deletes_ends_every_session(server: Etcd) -> None:
    """A new session begins with later terms than any before."""
    store = on(server, "deleted")
    session = await store.open(me())
    before = await taken(store, session)
    delete_all(server, "deleted")
    again = await opened_anew(store, session)
    assert not session.has_claim(BOT, before.term)
    lost = (await store.read([BOT])).claims[BOT]
    assert (lost.version, lost.holder, lost.clean) == (0, None, False)
    assert (await taken(store, again)).term > before.term
    await store.close(again)


async def test_what_was_let_go_before_a_loss_may_be_anothers(server: Etcd) -> None:
    """It looks held for a lease: whoever has taken it since may not have heard of the loss."""
    store = on(server, "let-go", lease=30.0)
    session = await store.open(me())
    await taken(store, session)
    await store.close(session)
    delete_all(server, "let-go")
    again = await store.open(me())
    assert (await store.read([BOT])).claims[BOT].holder == session.id
    await store.close(again)


async def test_a_watch_hears_of_the_deletion(server: Etcd) -> None:
    """Without waiting for the next beat."""
    store = on(server, "heard", lease=30.0)
    session = await store.open(me())
    watch = store.watch(session)
    await anext(watch)
    delete_all(server, "heard")
    with pytest.raises(SessionOver):
        await to_the_end(watch)
    await store.close(session)


async def test_an_older_copy_of_the_data_ends_every_session(server: Etcd) -> None:
    """Restored in place: same cluster, same ids. Its sessions are not believed, and terms go on from now."""
    store = on(server, "restored", lease=30.0)
    session = await store.open(me())
    before = await taken(store, session)
    server.stop()
    shutil.copytree(server.folder / "data", server.folder / "copy")
    server.start()
    later = await taken(store, session, BotId(7000000002))
    server.stop()
    shutil.rmtree(server.folder / "data")
    (server.folder / "copy").rename(server.folder / "data")
    server.start()
    await store.read([BOT])
    again = await opened_anew(store, session)
    claim = await taken(store, again, BotId(7000000002))
    assert claim.term > max(before.term, later.term)
    await store.close(again)


async def test_an_empty_server_in_the_same_place(server: Etcd) -> None:
    """All data lost: the session is over, and terms go on from now."""
    store = on(server, "empty", lease=30.0)
    session = await store.open(me())
    before = await taken(store, session)
    server.kill()
    shutil.rmtree(server.folder / "data")
    server.start()
    again = await opened_anew(store, session)
    assert (await taken(store, again)).term > before.term
    await store.close(again)


async def test_a_session_outlives_a_restart_of_the_server(server: Etcd) -> None:
    """Within its lease: a beat fails meanwhile, the claim stays, the watch goes on by itself."""
    store, other = on(server, "restart", lease=30.0), on(server, "restart", lease=30.0)
    session, peer = await store.open(me()), await other.open(me())
    claim = await taken(store, session)
    async with aclosing(changes(store, session)) as heard:
        await anext(heard)
        server.kill()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await store.beat(session)
        server.start()
        await store.beat(session)
        assert session.has_claim(BOT, claim.term)
        async with asyncio.timeout(20):
            await anext(heard)
            await other.close(peer)
            while (await anext(heard)).session != peer.id:
                continue
    await store.close(session)


async def test_a_frozen_server_holds_nobody_up(server: Etcd) -> None:
    """A beat gives up in time, the deadline stays where it was; thawed, it has ended who was silent."""
    store = on(server, "frozen")
    session = await store.open(me())
    claim = await taken(store, session)
    deadline = session.deadline
    server.freeze()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await store.beat(session)
    assert time.monotonic() - began < AT_ONCE
    assert session.deadline == deadline
    await asyncio.sleep(deadline - boot_clock())
    assert not session.has_claim(BOT, claim.term)
    await asyncio.sleep(1.0)
    server.thaw()
    async with asyncio.timeout(20):
        while not await is_over(store, session):  # noqa: ASYNC110  # the server looks for it twice a second
            await asyncio.sleep(1.5)
    await store.close(session)


async def test_an_answer_that_was_long_on_its_way_counts_from_the_question(server: Etcd) -> None:
    """The server may have had the beat at once."""
    store = on(server, "late", lease=10.0)
    session = await store.open(me())
    server.freeze()
    sent_at = boot_clock()
    beat = asyncio.create_task(store.beat(session))
    await asyncio.sleep(1.0)
    server.thaw()
    await beat
    assert boot_clock() >= sent_at + 1.0
    assert session.deadline < sent_at + 10.0 - 1.0
    await store.close(session)


async def test_a_full_server_keeps_who_lives(server: Etcd) -> None:
    """With the alarm for space on, beats go on, and changes say what to do."""
    store = on(server, "full", lease=30.0)
    session = await store.open(me())
    claim = await taken(store, session)
    member = call(server, "maintenance/status")["header"]["member_id"]
    call(server, "maintenance/alarm", action="ACTIVATE", memberID=member, alarm="NOSPACE")
    before = session.deadline
    await store.beat(session, report=b"news")
    assert session.deadline > before
    assert session.has_claim(BOT, claim.term)
    with pytest.raises(StoreFull, match="etcdctl alarm disarm"):
        await taken(store, session, BotId(7000000002))
    await store.close(session)


async def test_a_claim_that_was_lost_is_free_for_who_had_it(server: Etcd) -> None:
    """At once; for another one, who cannot know whether the holder has noticed, only after a lease."""
    holder, other = (on(server, "lost", lease=2.0, slow_look=60.0) for _ in range(2))
    first, second = await holder.open(me()), await other.open(me())
    await taken(holder, first)
    delete_all(server, "lost")
    for store, session in ((holder, first), (other, second)):
        assert await is_over(store, session)
        await store.close(session)
    again, meanwhile = await holder.open(me()), await other.open(me())
    assert (await holder.read([BOT])).claims[BOT].holder is None
    seen = await other.read([BOT])
    somebody = seen.claims[BOT].holder
    assert somebody is not None
    assert seen.sessions[somebody].liveness is Liveness.ALIVE
    await holder.close(again)
    beats = asyncio.create_task(keep_alive(other, meanwhile))
    async with aclosing(changes(other, meanwhile)) as heard, asyncio.timeout(20):
        while (await other.read([BOT])).claims[BOT].holder is not None:
            await anext(heard)
    beats.cancel()
    await other.close(meanwhile)


@pytest.mark.parametrize("loss", ["deleted", "emptied", "away"])
def test_pollers_come_back(telegram: Telegram, bots: Bots, server: Etcd, loss: str) -> None:
    """Data lost under two real pollers, or the server away for longer than a lease: one polls, unopposed."""
    holder = bots.bare("a", store=server.url, lease=2)
    telegram.wait_parked("a")
    bots.bare("b", store=server.url, lease=2).wait_said(role="standby")
    before = telegram.last()
    if loss == "deleted":
        delete_all(server, "onepoller")
    else:
        server.kill()
        if loss == "emptied":
            shutil.rmtree(server.folder / "data")
        else:
            holder.wait(lambda bot: "does not answer" in bot.log)
            time.sleep(3.0)  # longer than the lease, which is what this is about
        server.start()
    telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None, after=before)
    telegram.push(20)
    assert set(bots.wait_all_handled().values()) == {1}
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])
