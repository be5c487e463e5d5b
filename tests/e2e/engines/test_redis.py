"""What is special about Redis: lost data, servers that come and go, commands counted at the server."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from onepoller import OnePoller
from onepoller.coordination.errors import (
    SessionOver,
    SettingsError,
    StoreFull,
    StoreUnavailable,
    StoreUnfit,
)
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis import make
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.store import RedisStore
from onepoller.coordination.stores.seam import Batch, Claim, Liveness, Swap, Wish
from onepoller.testing.botapi import conflicts, overlaps, polls
from onepoller.testing.store_contract.rig import BOT, Peer, identity
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import ROOT, Bots
from tests.e2e.engines.servers import Redis, Server

pytestmark = pytest.mark.slow
LEASE = 2.0
OwnServer = Callable[[type[Server]], Server]


class WithSocket(Redis):
    """One that listens on a socket too."""

    def __init__(self, found: Path, folder: Path) -> None:
        super().__init__(found, folder, more=("--unixsocket", "socket"))


class ClusterNode(Redis):
    """A node of a cluster that has no slots yet."""

    def __init__(self, found: Path, folder: Path) -> None:
        super().__init__(found, folder, more=("--cluster-enabled", "yes"))


def admin(server: Server) -> Any:
    """The server's administrator."""
    return redis.Redis(port=server.port)


def on(server: Server, *, lease: float = LEASE, slow_look: float = 0.05) -> RedisStore:
    """A process's view of the server."""
    return RedisStore(Place.of(Address.of(server.url)), prefix="onepoller", lease=lease, slow_look=slow_look)


async def peer(server: Server, *, lease: float = LEASE, slow_look: float = 0.05) -> Peer:
    """One with a session."""
    store = on(server, lease=lease, slow_look=slow_look)
    return Peer(store=store, session=await store.open(identity()))


async def again(old: Peer) -> Peer:
    """Open the next session of a process whose session is over."""
    await old.store.close(old.session)
    return Peer(store=old.store, session=await old.store.open(identity()))


def wait_wished(server: Server, prefix: str) -> None:
    """Wait until somebody stands in line: who says that it stands by is about to."""
    while not list(admin(server).scan_iter(f"{{{prefix}}}:wishes:*")):
        time.sleep(0.02)


# Two processes that share nothing but the server


def test_a_standby_polls_within_the_lease_of_a_dead_holder(
    telegram: Telegram, bots: Bots, redis_server: Redis
) -> None:
    """The bar is the lease and 100 ms."""
    store = f"{redis_server.url}?prefix=crash{telegram.bot_id}"
    holder = bots.bare("a", store=store, state_dir=None, lease=LEASE)
    telegram.wait_parked("a")
    standby = bots.bare("b", store=store, state_dir=None, lease=LEASE)
    standby.wait_said(role="standby")
    killed_at = telegram.control.now()
    holder.kill()
    telegram.wait_parked("b")
    telegram.push(3)
    standby.wait_handled(telegram.pushed())
    polled_at = next(row.arrived_at for row in polls(telegram.rows()) if row.poller == "b")
    assert polled_at - killed_at < LEASE + 0.1
    assert overlaps(telegram.rows()) == []


def test_a_handover_causes_no_409(telegram: Telegram, bots: Bots, redis_server: Redis) -> None:
    """The successor is woken once the claim can be seen, and polls when the holder has stopped."""
    store = f"{redis_server.url}?prefix=handover{telegram.bot_id}"
    holder = bots.bare("a", store=store, state_dir=None, lease=LEASE)
    telegram.wait_parked("a")
    bots.bare("b", store=store, state_dir=None, lease=LEASE)
    wait_wished(redis_server, f"handover{telegram.bot_id}")
    holder.tell("hand_over")
    telegram.wait_parked("b")
    assert conflicts(telegram.rows()) == []


@pytest.mark.parametrize("loss", ["FLUSHALL", "restart"])
def test_lost_data_cause_no_fight(telegram: Telegram, bots: Bots, own_server: OwnServer, loss: str) -> None:
    """The holder takes its claim again, the standby stands by again, and no update is handled twice."""
    server = own_server(Redis)
    bots.bare("a", store=server.url, state_dir=None, lease=LEASE)
    telegram.wait_parked("a")
    standby = bots.bare("b", store=server.url, state_dir=None, lease=LEASE)
    standby.wait_said(role="standby")
    telegram.push(200, every=0.02)
    before = telegram.last()
    if loss == "FLUSHALL":
        admin(server).flushall()
    else:
        server.kill()
        server.start()
    while admin(server).hlen("{onepoller}:claims") == 0:
        telegram.wait_parked("a", after=before)
        before = telegram.last()
    assert set(bots.wait_all_handled().values()) == {1}
    assert standby.handled == []
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


def test_an_outage_longer_than_the_lease_ends_in_polling(
    telegram: Telegram, bots: Bots, own_server: OwnServer
) -> None:
    """Nobody polls without the server; when it is back, empty, one of the two does, and no update is lost."""
    server = own_server(Redis)
    holder = bots.bare("a", store=server.url, state_dir=None, lease=1)
    telegram.wait_parked("a")
    standby = bots.bare("b", store=server.url, state_dir=None, lease=1)
    standby.wait_said(role="standby")
    server.kill()
    holder.wait(lambda bot: "does not answer" in bot.log)
    time.sleep(2.0)  # how long an outage lasts is what this is about
    before = telegram.last()
    server.start()
    telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None, after=before)
    telegram.push(20)
    assert set(bots.wait_all_handled().values()) == {1}
    assert overlaps(telegram.rows()) == []


def test_a_forked_child_leaves_its_parents_connections_alone(
    telegram: Telegram, bots: Bots, redis_server: Redis
) -> None:
    """It stands by with a session of its own, and both hear of what happens."""
    store = f"{redis_server.url}?prefix=fork{telegram.bot_id}"
    parent = bots.bare("a", store=store, state_dir=None, lease=LEASE)
    telegram.wait_parked("a")
    parent.tell("fork-poll", "child")
    wait_wished(redis_server, f"fork{telegram.bot_id}")
    parent.tell("hand_over")
    telegram.wait_parked("child")
    before = telegram.last()
    bots.run("handover", str(telegram.bot_id), "--store", store)
    telegram.wait_parked("a", after=before)


def test_what_a_forked_child_throws_away_is_not_closed(own_server: OwnServer) -> None:
    """It would be taken out of the epoll set that the child shares with its parent, who would be deaf."""

    async def collect() -> None:
        gc.collect()

    async def body(server: Server) -> None:
        store = on(server)
        session = await store.open(identity())
        child = os.fork()
        if child == 0:
            asyncio.events._set_running_loop(None)  # the parent's, which is not ours
            del store
            asyncio.run(collect())
            os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        await store.beat(session)
        await store.close(session)

    asyncio.run(body(own_server(Redis)))


# Lost data, step by step


def test_terms_go_on_after_all_data_were_lost(own_server: OwnServer) -> None:
    """A new beginning is later than the old one, and one change of holder costs one step."""

    async def body(server: Server) -> None:
        first = await peer(server)
        old = await first.take()
        assert old is not None
        admin(server).flushall()
        with pytest.raises(SessionOver):
            await first.store.beat(first.session)
        first = await again(first)
        new = await first.take()
        assert new is not None
        assert new.term > old.term
        second = await peer(server)
        given = await second.take()
        assert given is not None
        assert given.term == new.term + 1
        for one in (first, second):
            await one.store.close(one.session)

    asyncio.run(body(own_server(Redis)))


def test_terms_go_on_after_a_fail_over_with_lost_writes(own_server: OwnServer) -> None:
    """A restart on older data is a new beginning: what was written and lost is above by no term of it."""

    async def body(server: Redis) -> None:
        first = await peer(server)
        await first.take()
        admin(server).save()
        for _ in range(50):
            lost = await first.take()
        server.kill()
        server.start()
        with pytest.raises(SessionOver):
            await first.store.beat(first.session)
        first = await again(first)
        assert (await first.claim()).version == 1
        new = await first.take()
        assert new is not None
        assert lost is not None
        assert new.term > lost.term
        await first.store.close(first.session)

    asyncio.run(body(own_server(Redis)))  # type: ignore[arg-type]  # it is one


def test_data_that_were_put_in_the_place_of_ours_have_other_sessions(own_server: OwnServer) -> None:
    """A primary that was a replica for a while is the same run of the server, on another's data."""

    async def body(server: Server) -> None:
        first = await peer(server)
        _, run = admin(server).get("{onepoller}:begun").split()
        admin(server).set("{onepoller}:begun", b"1796000000000 " + run)
        with pytest.raises(SessionOver, match="has lost session"):
            await first.store.beat(first.session)

    asyncio.run(body(own_server(Redis)))


@pytest.mark.parametrize("loss", ["FLUSHALL", "restart on older data"])
def test_lost_claims_are_free_for_who_had_them(own_server: OwnServer, loss: str) -> None:
    """Others wait for a lease: the holder may not have noticed yet, and deliver until its deadline."""

    async def body(server: Server) -> None:
        first, second = await peer(server, lease=1.0), await peer(server, lease=1.0)
        admin(server).save()
        await first.take()
        if loss == "FLUSHALL":
            admin(server).flushall()
        else:
            server.kill()
            server.start()
        with pytest.raises(SessionOver):
            await second.store.beat(second.session)
        second = await again(second)
        seen = await second.store.read([BOT])
        holder = seen.claims[BOT].holder
        assert holder is not None
        assert seen.sessions[holder].liveness is Liveness.ALIVE
        changes = second.store.watch(second.session)
        with pytest.raises(SessionOver):
            await first.store.beat(first.session)
        first = await again(first)
        assert (await first.claim()).holder is None
        async with asyncio.timeout(10):
            async for change in changes:
                if change.session == holder:
                    break
        assert await second.take() is not None
        for one in (first, second):
            await one.store.close(one.session)

    asyncio.run(body(own_server(Redis)))


# Servers that come and go


def test_a_server_that_forgot_its_scripts_is_told_them_again(own_server: OwnServer) -> None:
    """SCRIPT FLUSH costs one round trip."""

    async def body(server: Server) -> None:
        first = await peer(server)
        admin(server).script_flush()
        assert await first.take() is not None
        await first.store.beat(first.session)
        await first.store.close(first.session)

    asyncio.run(body(own_server(Redis)))


def test_a_frozen_server_is_told_as_one_that_does_not_answer(own_server: OwnServer) -> None:
    """A beat gives up in time for another try within the lease; thawed, the server is used again."""

    async def body(server: Server) -> None:
        first = await peer(server)
        server.freeze()
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable) as told:
            await first.store.beat(first.session)
        assert asyncio.get_running_loop().time() - started < LEASE / 2
        assert str(told.value) == f"redis://127.0.0.1:{server.port}/0 does not answer."
        server.thaw()
        await first.store.beat(first.session)
        await first.store.close(first.session)

    asyncio.run(body(own_server(Redis)))


def test_a_server_that_is_gone_is_told_as_one_that_does_not_answer(own_server: OwnServer) -> None:
    """Every operation says so, and a watch ends with it."""

    async def body(server: Server) -> None:
        first = await peer(server)
        changes = first.store.watch(first.session)
        await anext(changes)
        server.kill()
        with pytest.raises(StoreUnavailable):
            await anext(changes)
        for call in (first.store.beat(first.session), first.store.read([BOT]), first.claim()):
            with pytest.raises(StoreUnavailable):
                await call
        with pytest.raises(StoreUnavailable):
            await first.store.close(first.session)

    asyncio.run(body(own_server(Redis)))


def test_a_read_without_a_session_leaves_nothing(own_server: OwnServer) -> None:
    """`onepoller status` makes no key and keeps no connection."""

    async def body(server: Server) -> None:
        for bots in (None, [BOT]):
            await on(server).read(bots)

    server = own_server(Redis)
    asyncio.run(body(server))
    assert admin(server).keys() == []
    assert admin(server).info("clients")["connected_clients"] == 1


def test_a_close_leaves_no_connection_and_no_session(own_server: OwnServer) -> None:
    """What stays are the claims."""

    async def body(server: Server) -> None:
        first = await peer(server)
        await first.take()
        await first.wish(Wish(bot_id=BOT, session=first.id))
        await first.store.close(first.session)

    server = own_server(Redis)
    asyncio.run(body(server))
    assert admin(server).info("clients")["connected_clients"] == 1
    assert {key.decode().partition(":")[2] for key in admin(server).scan_iter()} == {
        "begun",
        "generation",
        "changed",
        "arrivals",
        "claims",
    }


def test_the_holders_of_a_server_without_memory_go_on(own_server: OwnServer) -> None:
    """A beat needs none; what changes waits, and says why."""

    async def body(server: Server) -> None:
        first = await peer(server)
        await first.take()
        admin(server).config_set("maxmemory", 1)
        for _ in range(3):
            await first.store.beat(first.session, report=b"a new report")
        with pytest.raises(StoreFull, match="has no memory left"):
            await first.take()
        admin(server).config_set("maxmemory", 0)
        assert await first.take() is not None
        await first.store.close(first.session)

    asyncio.run(body(own_server(Redis)))


# Set-up


def test_a_refused_login_is_one_sentence_without_the_password(own_server: OwnServer) -> None:
    """It says what to correct, and where."""
    server = own_server(Redis)
    admin(server).config_set("requirepass", "right")
    for wrong in (f"redis://:secret%40word@127.0.0.1:{server.port}/0", server.url):
        with pytest.raises(StoreUnfit) as told:
            asyncio.run(make(Address.of(wrong), lease=LEASE).open(identity()))
        assert str(told.value) == (
            f"redis://127.0.0.1:{server.port}/0 refuses this user or password:"
            " correct them in the store's URL."
        )
        assert told.value.__cause__ is None
        assert "secret" not in repr(make(Address.of(wrong), lease=LEASE))


def test_missing_rights_are_one_sentence(own_server: OwnServer) -> None:
    """It names the page on which they stand."""
    server = own_server(Redis)
    admin(server).acl_setuser("bot", enabled=True, nopass=True, commands=["+ping", "+info"], keys=["*"])
    with pytest.raises(StoreUnfit, match="does not give this user the rights"):
        asyncio.run(make(Address.of(f"redis://bot:x@127.0.0.1:{server.port}"), lease=LEASE).open(identity()))


def test_the_documented_rights_are_enough(own_server: OwnServer) -> None:
    """Those of docs/redis.md, word for word."""

    async def body(server: Server) -> None:
        words = re.search(r"ACL SETUSER bot (.*)", (ROOT / "docs/redis.md").read_text())
        assert words is not None
        admin(server).execute_command("ACL", "SETUSER", "bot", *words[1].split())
        store = make(Address.of(f"redis://bot:PASSWORD@127.0.0.1:{server.port}/0"), lease=1.0)
        first = Peer(store=store, session=await store.open(identity()))
        second = Peer(store=store, session=await store.open(identity()))
        await first.take()
        await second.wish(Wish(bot_id=BOT, session=second.id))
        changes = second.store.watch(second.session)
        await anext(changes)
        async for change in changes:
            if change.session == first.id:
                break
        assert await second.take(requires_over=first) is not None
        await second.store.read()
        for one in (first, second):
            await one.store.close(one.session)

    asyncio.run(body(own_server(Redis)))


def test_a_wrong_database_is_one_sentence(own_server: OwnServer) -> None:
    """A server has sixteen, unless it was told otherwise."""
    server = own_server(Redis)
    with pytest.raises(SettingsError, match="has no database of that number"):
        asyncio.run(make(Address.of(f"redis://127.0.0.1:{server.port}/99"), lease=LEASE).read())


def test_a_socket_is_a_place_too(own_server: OwnServer) -> None:
    """unix:///PATH, with the database behind a question mark."""
    server = own_server(WithSocket)
    store = make(Address.of(f"unix://{server.folder}/socket?db=3"), lease=LEASE)
    assert asyncio.run(store.read()).claims == {}


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("maxmemory-policy", "allkeys-lru", "may drop claims"),
        ("maxmemory-policy", "volatile-ttl", "may drop"),
    ],
)
def test_a_policy_that_drops_keys_is_told(
    own_server: OwnServer, caplog: pytest.LogCaptureFixture, setting: str, value: str, says: str
) -> None:
    """One sentence in the log and in status."""
    server = own_server(Redis)
    admin(server).config_set(setting, value)
    assert says in asyncio.run(on(server).read()).trouble
    assert says in caplog.text


def test_replicas_that_nobody_waits_for_are_told(own_server: OwnServer) -> None:
    """A fail-over would lose what they have not got; with min-replicas-to-write there is nothing to tell."""
    server, replica = own_server(Redis), own_server(Redis)
    admin(replica).replicaof("127.0.0.1", server.port)
    while admin(server).info("replication")["connected_slaves"] == 0:
        time.sleep(0.05)
    assert "min-replicas-to-write" in asyncio.run(on(server).read()).trouble
    admin(server).config_set("min-replicas-to-write", 1)
    assert asyncio.run(on(server).read()).trouble == ""


def test_a_replica_is_told_as_one(own_server: OwnServer) -> None:
    """It cannot be written to."""
    server, replica = own_server(Redis), own_server(Redis)
    admin(replica).replicaof("127.0.0.1", server.port)
    with pytest.raises(StoreUnavailable, match="is a replica"):
        asyncio.run(on(replica).open(identity()))


def test_a_node_of_a_cluster_sends_us_to_the_one_with_our_keys(own_server: OwnServer) -> None:
    """All keys lie on one node, and any node may be named."""

    async def body(server: Server) -> None:
        first, second = await peer(server, lease=0.6), await peer(server, lease=0.6)
        await first.take()
        async for change in second.store.watch(second.session):
            if change.session == first.id:
                break
        assert await second.take(requires_over=first) is not None
        for one in (first, second):
            await one.store.close(one.session)

    named, other = own_server(ClusterNode), own_server(ClusterNode)
    admin(other).execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    admin(named).execute_command("CLUSTER", "MEET", "127.0.0.1", other.port)
    for node in (named, other):
        while "cluster_state:ok" not in str(admin(node).execute_command("CLUSTER", "INFO")):
            time.sleep(0.05)
    asyncio.run(body(named))
    assert admin(named).keys() == []


# Counted at the server


def calls(server: Server) -> int:
    """How many commands the server has run, those of scripts among them, without ours."""
    stats = admin(server).info("commandstats")
    ours = ("info", "hello", "client|setinfo", "config")
    return sum(
        stat["calls"] for name, stat in stats.items() if not name.removeprefix("cmdstat_").startswith(ours)
    )


async def steady(server: Server, count: int) -> int:
    """How many commands a holder and a standby of so many bots cost in nine beats of each."""

    async def beat(one: Peer, report: bytes) -> None:
        for _ in range(9):
            await one.store.beat(one.session, report=report)
            await asyncio.sleep(0.3)

    async def watch(one: Peer) -> None:
        async for _ in one.store.watch(one.session):
            pass

    first, second = await peer(server, slow_look=1.0), await peer(server, slow_look=1.0)
    bots = [BotId(number) for number in range(1, count + 1)]
    swaps = [Swap(claim=replace(await first.claim(b), holder=first.id)) for b in bots[:1]]
    swaps += [Swap(claim=Claim(bot_id=bot_id, holder=first.id)) for bot_id in bots[1:]]
    await first.store.swap(first.session, Batch(swaps=swaps))
    wishes = [Wish(bot_id=bot_id, session=second.id) for bot_id in bots]
    await second.store.swap(second.session, Batch(wishes=wishes))
    watches = [asyncio.ensure_future(watch(one)) for one in (first, second)]
    await asyncio.sleep(0.3)
    before = calls(server)
    await asyncio.gather(beat(first, b"r" * 20 * count), beat(second, b""))
    counted = calls(server) - before
    for task in watches:
        task.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
    for one in (first, second):
        await one.store.close(one.session)
    return counted


def test_the_steady_state_does_not_depend_on_the_number_of_bots(own_server: OwnServer) -> None:
    """With ten thousand bots as many commands as with one, to a tenth."""
    few = asyncio.run(steady(own_server(Redis), 1))
    many = asyncio.run(steady(own_server(Redis), 10_000))
    assert many == pytest.approx(few, rel=0.1)


def test_ten_standbys_take_over_without_a_stampede(own_server: OwnServer) -> None:
    """One of them takes the claims of a dead holder; what the others do about it is bounded."""
    bots = [BotId(number) for number in range(1, 51)]

    async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  # it never ends
        await asyncio.sleep(3600)
        raise AssertionError

    async def body(server: Server) -> None:
        holder = await peer(server)
        swaps = [Swap(claim=Claim(bot_id=bot_id, holder=holder.id)) for bot_id in bots]
        await holder.store.swap(holder.session, Batch(swaps=swaps))
        pollers = [OnePoller(store=server.url, lease=LEASE, on_rival="hold") for _ in range(10)]
        polls = [asyncio.ensure_future(p.get_updates(b, call, timeout=60)) for p in pollers for b in bots]
        while await lined_up(holder) < 10 * len(bots):
            await holder.store.beat(holder.session)
            await asyncio.sleep(0.1)
        await holder.store.beat(holder.session)
        before = calls(server)
        while holder.id.encode() in admin(server).hget("{onepoller}:claims", "50"):  # noqa: ASYNC110  # seen at the server
            await asyncio.sleep(0.1)
        await asyncio.sleep(LEASE / 2)  # whoever has something to do about it has done it
        counted = calls(server) - before
        taken = {claim.holder for claim in (await holder.store.read(bots)).claims.values()}
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)
        for poller in pollers:
            await asyncio.to_thread(poller.close)
        await holder.store.close(holder.session)
        assert len(taken) == 1
        assert counted < 3000  # most of them ask ten processes' reads about eleven sessions each

    async def lined_up(one: Peer) -> int:
        return sum(len(wishes) for wishes in (await one.store.read(bots)).wishes.values())

    asyncio.run(body(own_server(Redis)))


def test_one_change_makes_a_standby_read_one_claim(own_server: OwnServer) -> None:
    """What it has read before it does not read again."""

    async def body(server: Server) -> None:
        first, second = await peer(server), await peer(server)
        bots = [BotId(number) for number in range(1, 2001)]
        swaps = [Swap(claim=Claim(bot_id=bot_id, holder=first.id)) for bot_id in bots]
        await first.store.swap(first.session, Batch(swaps=swaps))
        await second.store.read(bots)
        changed = await first.take(bots[7])
        before = admin(server).info("stats")["total_net_output_bytes"]
        seen = await second.store.read(bots)
        after = admin(server).info("stats")["total_net_output_bytes"]
        assert seen.claims[bots[7]] == changed
        assert after - before < 20_000  # an answer to INFO among them; 2,000 claims are 120,000
        for one in (first, second):
            await one.store.close(one.session)

    asyncio.run(body(own_server(Redis)))
