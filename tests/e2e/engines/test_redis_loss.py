"""A Redis that loses data, step by step: sessions are over, terms go on, and nobody fights."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.stores.seam import Liveness
from onepoller.testing.store_contract.rig import BOT
from tests.e2e.engines.redis_peers import admin, again, hear_of, peer
from tests.e2e.engines.servers import OwnServer, Redis

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_terms_go_on_after_all_data_were_lost(own_server: OwnServer) -> None:
    """A new beginning is later than the old one, and one change of holder costs one step."""
    server = own_server(Redis)
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


async def test_data_that_were_put_in_the_place_of_ours_have_other_sessions(own_server: OwnServer) -> None:
    """A primary that was a replica for a while is the same run of the server, on another's data."""
    server = own_server(Redis)
    first = await peer(server)
    _, run = admin(server).get("{onepoller}:begun").split()
    admin(server).set("{onepoller}:begun", b"1796000000000 " + run)
    with pytest.raises(SessionOver, match="has lost session"):
        await first.store.beat(first.session)


@pytest.mark.parametrize("loss", ["FLUSHALL", "restart on older data", "restart on data that say it is free"])
async def test_lost_claims_are_free_for_who_had_them(own_server: OwnServer, loss: str) -> None:
    """Others wait for a lease: the holder may not have noticed yet, and deliver until its deadline."""
    server = own_server(Redis)
    first, second = await peer(server, lease=3.0), await peer(server, lease=3.0)
    if loss == "restart on data that say it is free":
        mine = await first.take()
        assert mine is not None
        await first.write(replace(mine, holder=None))
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
    with pytest.raises(SessionOver):
        await first.store.beat(first.session)
    first = await again(first)
    assert (await first.claim()).holder is None
    await hear_of(second, holder)
    assert await second.take() is not None
    for one in (first, second):
        await one.store.close(one.session)
