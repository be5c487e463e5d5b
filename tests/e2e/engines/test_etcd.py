"""Real pollers on an etcd: a killed one is followed, many bots cost no more, ten standbys do not stampede."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.seam import Change
from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import AT_ONCE, Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.etcd_calls import commands, me, more, on, take, values
from tests.e2e.engines.servers import Etcd

pytestmark = pytest.mark.slow
BEATS, PAUSE = 6, 0.1
STAMPEDE = 60
"""Commands of ten standbys from the death to the next poll, beats left out: in two seconds twenty are looks,
each reads once what became of the claim, one of them takes it. Half as much again is allowed."""


def test_a_killed_holder_is_followed_within_its_lease(
    telegram: Telegram, bots: Bots, etcd_server: Etcd
) -> None:
    """Two real processes: kill -9 the one that polls, and the other one polls."""
    store = f"{etcd_server.url}?prefix=pollers"
    holder, standby = bots.pair(store=store, state_dir=None)
    holder.kill()
    killed = time.monotonic()
    telegram.wait_parked("b")
    assert time.monotonic() - killed < 3.0 + AT_ONCE
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert overlaps(telegram.rows()) == []


def test_a_frozen_holder_is_followed_within_its_lease(
    telegram: Telegram, bots: Bots, etcd_server: Etcd
) -> None:
    """SIGSTOP: the server ends its session; thawed, it stands by and hands nothing over."""
    store = f"{etcd_server.url}?prefix=frozen"
    holder, standby = bots.pair(store=store, state_dir=None)
    holder.send(signal.SIGSTOP)
    telegram.wait_parked("b")
    telegram.push()
    standby.wait_handled(telegram.pushed())
    holder.send(signal.SIGCONT)
    holder.wait_said(role="standby")
    assert holder.handled == []


def test_many_bots_cost_no_more_than_one(etcd_server: Etcd) -> None:
    """What a watching session's beats ask of the server: with one bot and with ten thousand the same."""

    async def body(bots: int) -> dict[str, int]:
        store = on(etcd_server, f"many{bots}", lease=30.0, slow_look=60.0)
        session = await store.open(me())
        names = [BotId(7000000000 + number) for number in range(bots)]
        await store.swap(session, take(names, session))
        watch = cast("AsyncGenerator[Change, None]", store.watch(session))
        await anext(watch)
        before = commands(etcd_server)
        for number in range(BEATS):
            await store.beat(session, report=bytes([number]) * (28 * bots))
            await asyncio.sleep(PAUSE)
        after = commands(etcd_server)
        await watch.aclose()
        await store.close(session)
        return more(before, after)

    one, many = asyncio.run(body(1)), asyncio.run(body(10_000))
    assert one == {"LeaseKeepAlive": BEATS, "Txn": BEATS}
    assert many == one


def test_ten_standbys_do_not_stampede(
    telegram: Telegram, bots: Bots, etcd_server: Etcd, tmp_path: Path
) -> None:
    """Ten real processes wait for one bot; its holder is killed: one takes it, and few commands are sent."""
    store = f"{etcd_server.url}?prefix=stampede"
    herd = bots.herd("bare")
    names = [f"s{number}" for number in range(11)]
    for name in names:
        herd.fork(name, store=store, lease=2, state_dir=tmp_path / name)  # on hosts of their own
    herd.wait_settled()
    holder = telegram.poller()
    before, asked = telegram.last(), commands(etcd_server)
    herd.kill(holder)
    telegram.wait_polled_by_another(holder, after=before)
    spent = more(asked, commands(etcd_server))
    assert spent["Txn"] - spent.get("LeaseKeepAlive", 0) <= STAMPEDE
    assert overlaps(telegram.rows()) == []
    herd.clear()


def wait_wished(server: Etcd, prefix: str) -> None:
    """Wait until somebody stands in line: who says that it stands by is about to."""
    while not any(value != b"[]" for value in values(server, f"{prefix}/wishes")):
        time.sleep(0.02)


def test_a_handover_causes_no_409(telegram: Telegram, bots: Bots, etcd_server: Etcd) -> None:
    """Asked for by the command line, which has no session of its own beside it; `status` names the holder."""
    store = f"{etcd_server.url}?prefix=handover"
    bots.bare("a", store=store)
    telegram.wait_parked("a")
    bots.bare("b", store=store)
    wait_wished(etcd_server, "handover")
    assert bots.run("handover", str(telegram.bot_id), "--store", store).returncode == 0
    telegram.wait_parked("b")
    assert "'b'" in bots.run("status", "--store", store).stdout
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


def test_a_forked_child_leaves_its_parents_connections_alone(
    telegram: Telegram, bots: Bots, etcd_server: Etcd
) -> None:
    """It stands by with a session of its own, and both hear of what happens."""
    store = f"{etcd_server.url}?prefix=fork"
    parent = bots.bare("a", store=store)
    telegram.wait_parked("a")
    parent.tell("fork-poll", "child")
    wait_wished(etcd_server, "fork")
    parent.hand_over(telegram, to="child")
    before = telegram.last()
    wait_wished(etcd_server, "fork")
    bots.run("handover", str(telegram.bot_id), "--store", store)
    telegram.wait_parked("a", after=before)
