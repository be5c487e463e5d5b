"""Real processes that share nothing but a Redis server: crash, handover, lost data, outages, forks."""

from __future__ import annotations

import asyncio
import gc
import os
import time

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from onepoller.testing.store_contract.rig import identity
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.redis_peers import LEASE, admin, on, wait_wished
from tests.e2e.engines.servers import OwnServer, Redis, Server

pytestmark = pytest.mark.slow


def test_a_standby_polls_within_the_lease_of_a_dead_holder(
    telegram: Telegram, bots: Bots, redis_server: Redis
) -> None:
    """The bar is the lease and 100 ms."""
    store = f"{redis_server.url}?prefix=crash{telegram.bot_id}"
    holder, standby = bots.pair(store=store, state_dir=None, lease=LEASE)
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
    holder.hand_over(telegram, to="b")
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
    holder, _ = bots.pair(store=server.url, state_dir=None, lease=1)
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
    parent.hand_over(telegram, to="child")
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
