"""Many bots and many processes on Leases: wake-ups, sizes, and requests counted at the server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import pytest

from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role, row
from onepoller.coordination.stores.seam import Batch, Change, Claim, Swap, Wish
from onepoller.testing.store_contract.rig import BOT, Peer
from tests.e2e.engines.kubernetes_api.peers import (
    PATIENCE,
    Namespace,
    take_many,
    take_over_many,
    until_named,
    watch,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("quiet_http")]


# Wake-ups


async def test_who_is_woken_hears_it_at_once_and_the_others_soon(namespace: Namespace) -> None:
    """By the watch that stands: nothing is listed for it."""
    namespace.lease = 20.0
    async with (
        namespace.peers("writer", "woken", "other") as (writer, woken, other),
        watch(woken) as at_once,
        watch(other) as soon,
    ):
        cast("Any", woken.store)._slow_look = 3600.0
        for changes in (at_once, soon):
            await anext(changes)
            await anext(changes)  # what the list has brought
        await asyncio.sleep(1.2)  # a slow look without news is told to nobody
        lists = namespace.api.requests["list"]
        swap = Swap(claim=Claim(bot_id=BOT, heir=woken.id))
        await writer.store.swap(writer.session, Batch(swaps=[swap], wake=[woken.id]))
        await asyncio.wait_for(anext(at_once), PATIENCE)
        began = time.monotonic()
        await asyncio.wait_for(anext(soon), PATIENCE)
        seconds, lists = time.monotonic() - began, namespace.api.requests["list"] - lists
    assert (seconds < 2.5, lists) == (True, 0)


# Many bots


MANY = [BotId(7_000_000_000 + number * 7919) for number in range(10_000)]


REPORT = b"".join(
    row(bot_id, Role.POLLING, last_poll=1.8e9 + number * 0.0137, episodes=number % 3, conflicts=number % 7)
    for number, bot_id in enumerate(MANY)
)


async def test_ten_thousand_wishes_and_their_report_fit(namespace: Namespace) -> None:
    """In one Lease each, 256 KiB is the limit; the Lease that beats stays small."""
    async with namespace.peers("one", "two") as (one, two):
        wishes = [Wish(bot_id=bot_id, session=one.id, priority=1) for bot_id in MANY]
        await one.store.swap(one.session, Batch(wishes=wishes))
        await one.store.beat(one.session, report=REPORT)
        seen = await two.store.read()
        places = {wish.since for standing in seen.wishes.values() for wish in standing}
        beating = len(json.dumps(namespace.api.leases()[f"onepoller-session-{one.id}"]))
    assert (len(seen.wishes), len(places)) == (len(MANY), 1)
    assert seen.sessions[one.id].report == REPORT
    assert beating < 2000


def test_requests_in_the_steady_state_do_not_depend_on_the_number_of_bots(namespace: Namespace) -> None:
    """With the report of ten thousand bots: at most a tenth more."""

    async def requests(report: bytes) -> int:
        async with namespace.peers("holder", "standby") as (holder, standby), watch(standby) as changes:
            await take_many(holder, MANY[: 1 if len(report) < 100 else 200])
            await anext(changes)
            await holder.store.beat(holder.session, report=report)
            before = namespace.api.requests.total()
            for _ in range(21):
                await asyncio.sleep(namespace.lease / 3)
                await asyncio.gather(
                    holder.store.beat(holder.session, report=report), standby.store.beat(standby.session)
                )
            return namespace.api.requests.total() - before

    one, many = asyncio.run(requests(bytes(28))), asyncio.run(requests(REPORT))
    assert one >= 42
    assert many <= 1.1 * one


async def test_ten_standbys_hear_of_a_takeover_at_no_cost(namespace: Namespace) -> None:
    """What a hundred claims change is announced once; nobody is made to ask the server for it."""

    async def _hear(one: aclosing[AsyncGenerator[Change, None]], dead: Peer) -> None:
        async with one as changes:
            await until_named(changes, dead)

    labels = [f"standby {number}" for number in range(10)]
    async with namespace.peers("dead", *labels) as (dead, heir, *others):
        claims = await take_many(dead, MANY[:100])
        await heir.store.read(list(claims))
        watches = [watch(peer) for peer in (heir, *others)]
        heard = [asyncio.create_task(_hear(one, dead)) for one in watches]
        before = namespace.api.requests.copy()
        while not all(task.done() for task in heard):
            await asyncio.sleep(namespace.lease / 4)
            await asyncio.gather(*(peer.store.beat(peer.session) for peer in (heir, *others)))
        assert [task.exception() for task in heard] == [None] * 10
        assert len(await take_over_many(heir, dead, claims)) == 100
        asked = namespace.api.requests - before
    assert asked["get"] + asked["list"] + asked["create"] + asked["delete"] <= 2 * 10 + 2


async def test_who_hears_of_one_change_reads_one_claim(namespace: Namespace) -> None:
    """Not all that it waits for: what others announced says which."""
    async with namespace.peers("holder", "standby") as (holder, standby), watch(standby) as changes:
        claims = await take_many(holder, MANY[:200])
        await anext(changes)
        await anext(changes)  # what the list has brought
        await standby.store.read(MANY[:200])
        await standby.store.beat(standby.session)
        before = namespace.api.requests.copy()
        given = Swap(claim=replace(claims[MANY[7]], holder=None, heir=standby.id))
        await holder.store.swap(holder.session, Batch(swaps=[given], wake=[standby.id]))
        async with asyncio.timeout(PATIENCE):
            async for _ in changes:
                heir = (await standby.store.read(MANY[:200])).claims[MANY[7]].heir
                if heir is not None:
                    break
        asked = namespace.api.requests - before
    assert (asked["get"], asked["list"] <= 2) == (1, True)


async def test_a_swap_that_is_cut_short_tells_what_was_written(namespace: Namespace) -> None:
    """The server breaks within a batch: what is ours is told, the rest can be tried again."""
    async with namespace.peers("one") as (one,):
        swaps = [Swap(claim=Claim(bot_id=bot_id, holder=one.id)) for bot_id in MANY[:200]]
        namespace.api.be_broken("create", after=60)
        told = (await one.store.swap(one.session, Batch(swaps=swaps))).written
        there = [name for name in namespace.api.leases() if "-bot-" in name]
    assert 0 < len(told) == len(there) < 200
