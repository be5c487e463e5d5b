"""Redis servers that come and go, freeze, forget and fill up; and what stays on them."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.coordination.errors import (
    StoreFull,
    StoreUnavailable,
)
from onepoller.coordination.stores.seam import Wish
from onepoller.testing.store_contract.rig import BOT
from tests.e2e.engines.fault_proxy import FaultProxy, Way
from tests.e2e.engines.redis_peers import LEASE, admin, on, peer
from tests.e2e.engines.servers import OwnServer, Redis, Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_server_that_forgot_its_scripts_is_told_them_again(own_server: OwnServer) -> None:
    """SCRIPT FLUSH costs one round trip."""
    server = own_server(Redis)
    first = await peer(server)
    admin(server).script_flush()
    assert await first.take() is not None
    await first.store.beat(first.session)
    await first.store.close(first.session)


async def test_a_frozen_server_is_told_as_one_that_does_not_answer(own_server: OwnServer) -> None:
    """A beat gives up in time for another try within the lease; thawed, the server is used again."""
    server = own_server(Redis)
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


async def test_a_server_that_is_gone_is_told_as_one_that_does_not_answer(own_server: OwnServer) -> None:
    """Every operation says so, and a watch ends with it."""
    server = own_server(Redis)
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


@pytest.mark.parametrize(("way", "piece"), [(Way.DOWN, 1), (Way.UP, 2)])
async def test_a_goodbye_whose_answer_is_lost_frees_the_claims(
    own_server: OwnServer, way: Way, piece: int
) -> None:
    """It is said again on another connection, where the session is over already."""
    server = own_server(Redis)
    other = await peer(server)
    with FaultProxy(server.port) as proxy:
        before, leaving = await peer(proxy), await peer(proxy)
        await before.store.close(before.session)  # so that the server knows the scripts
        await leaving.take()
        struck = proxy.plan(proxy.reset, way, piece)
        await leaving.store.close(leaving.session)
        assert struck.is_set()
    assert (await other.claim(BOT)).holder is None
    await other.store.close(other.session)


async def test_dead_sessions_do_not_pile_up(own_server: OwnServer) -> None:
    """Of who crashes again and again the last sessions are known; the living are never forgotten."""
    server = own_server(Redis)
    first = await peer(server)
    crashed = [await peer(server, lease=0.2) for _ in range(40)]
    while len(list(admin(server).scan_iter("*:alive:*"))) > 1:  # no event says so
        await first.store.beat(first.session)
        await asyncio.sleep(0.05)
    last = await peer(server)
    known = (await last.store.read()).sessions
    assert {first.id, last.id, crashed[-1].id} <= known.keys()
    assert len(known) == 18
    assert await crashed[0].is_over()
    for one in (first, last, *crashed[1:]):
        await one.store.close(one.session)


async def test_the_holders_of_a_server_without_memory_go_on(own_server: OwnServer) -> None:
    """A beat needs none; what changes waits, and says why."""
    server = own_server(Redis)
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
