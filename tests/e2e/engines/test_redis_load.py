"""What we cost a Redis server, counted there."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onepoller import OnePoller
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.seam import Batch, Claim, Swap, Wish
from onepoller.testing.store_contract.rig import Peer
from tests.e2e.engines.redis_peers import LEASE, admin, on, peer
from tests.e2e.engines.servers import OwnServer, Redis, Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


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

    first, second = [await peer(server, lease=30.0, slow_look=1.0) for _ in range(2)]
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


def test_ten_standbys_take_over_without_a_stampede(own_server: OwnServer, tmp_path: Path) -> None:
    """One of them takes the claims of a dead holder; what the others do about it is bounded."""
    bots = [BotId(number) for number in range(1, 51)]

    async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  # it never ends
        await asyncio.sleep(3600)
        raise AssertionError

    async def body(server: Server) -> None:
        holder = await peer(server)
        swaps = [Swap(claim=Claim(bot_id=bot_id, holder=holder.id)) for bot_id in bots]
        await holder.store.swap(holder.session, Batch(swaps=swaps))
        pollers = [
            OnePoller(store=server.url, state_dir=tmp_path / str(number), lease=LEASE, on_rival="hold")
            for number in range(10)
        ]
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


async def test_one_change_makes_a_standby_read_one_claim(own_server: OwnServer) -> None:
    """What it has read before it does not read again."""
    server = own_server(Redis)
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


@pytest.mark.parametrize("seed", range(5))
def test_what_was_read_before_is_what_lies_on_the_server(own_server: OwnServer, seed: int) -> None:
    """Whatever three processes write and read side by side, each reads afterwards what a new one reads."""
    bots = [BotId(number) for number in range(1, 21)]
    chance = random.Random(seed)

    async def act(one: Peer) -> None:
        for _ in range(60):
            some = chance.sample(bots, chance.randint(1, len(bots)))
            match chance.choice(["read", "take", "wish", "withdraw"]):
                case "read":
                    await one.store.read(some)
                case "take":
                    await asyncio.gather(*(one.take(bot_id) for bot_id in some[:3]))
                case "wish":
                    await one.wish(*(Wish(bot_id=bot_id, session=one.id) for bot_id in some))
                case "withdraw":
                    await one.wish(withdrawn=some)

    async def body(server: Server) -> None:
        peers = [await peer(server) for _ in range(3)]
        await asyncio.gather(*(act(one) for one in peers for _ in range(2)))
        await peers[2].store.close(peers[2].session)
        fresh = await on(server).read(bots)
        for one in peers[:2]:
            seen = await one.store.read(bots)
            assert (seen.claims, seen.wishes) == (fresh.claims, fresh.wishes)
            assert seen.sessions.keys() == fresh.sessions.keys()
        for one in peers[:2]:
            await one.store.close(one.session)

    asyncio.run(body(own_server(Redis)))
