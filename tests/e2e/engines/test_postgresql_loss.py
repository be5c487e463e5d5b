"""After a loss of data, a claim is free for who had it, and for others when its holder must have stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.seam import Liveness
from onepoller.testing.store_contract.rig import BOT
from tests.e2e.engines.postgresql import Process, beaten, fresh, processes, run
from tests.e2e.engines.servers import PostgreSQL, Server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

Own = Callable[[type[Server]], Server]
MODES = ["connection", "pooler"]


async def lose(url: str) -> None:
    """DROP SCHEMA."""
    await run(url, f"DROP SCHEMA {url.partition('prefix=')[2].partition('&')[0]} CASCADE")


async def reopen(process: Process) -> None:
    """Find that the session is over, and open the next one."""
    with pytest.raises(SessionOver):
        await beaten(process)
    await process.store.close(process.session)
    await process.open()


async def who_has_it(process: Process) -> SessionId | None:
    """The holder, as this one sees it; it is alive."""
    seen = await process.store.read([BOT])
    holder = seen.claims[BOT].holder
    assert holder is None or seen.sessions[holder].liveness is Liveness.ALIVE
    return holder


@asynccontextmanager
async def beating(process: Process) -> AsyncIterator[None]:
    """Beat meanwhile."""

    async def beat() -> None:
        while True:
            await beaten(process)
            await asyncio.sleep(0.2)

    task = asyncio.ensure_future(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.mark.parametrize("mode", MODES)
async def test_a_claim_that_was_lost_is_free_for_who_had_it(postgresql_server: PostgreSQL, mode: str) -> None:
    """For another one, who cannot know whether the holder has noticed, after a lease; it is told then."""
    url = fresh(postgresql_server.url, mode=mode)
    async with processes(url, 2, lease=2.0) as (holder, other):
        other.store._slow_look = 60.0
        await holder.take()
        await lose(url)
        await reopen(holder)
        await reopen(other)
        assert await who_has_it(holder) is None
        assert await who_has_it(other) is not None
        async with beating(holder), beating(other):
            await other.watch()
            while await who_has_it(other) is not None:
                other.heard.clear()
                await other.wait(lambda: bool(other.heard))
        assert await other.take() != {}


@pytest.mark.parametrize("mode", MODES)
async def test_what_was_taken_since_is_whose_it_is(postgresql_server: PostgreSQL, mode: str) -> None:
    """Who had it before has lost it to one that knew nothing."""
    url = fresh(postgresql_server.url, mode=mode)
    async with processes(url, 1) as (holder,):
        await holder.take()
        await lose(url)
        async with processes(url, 1) as (new,):
            await new.take()
            await reopen(holder)
            assert await who_has_it(holder) == new.session.id


async def test_what_was_given_up_before_a_loss_is_not_taken_back(postgresql_server: PostgreSQL) -> None:
    """Somebody else may have taken it, and deliver."""
    url = fresh(postgresql_server.url)
    async with processes(url, 1) as (first,):
        await first.take()
        await first.store.close(first.session)
        await lose(url)
        await first.open()
        assert await who_has_it(first) is not None


async def test_a_restart_is_no_loss(own_server: Own) -> None:
    """Terms are raised by it, but what is written stands: a claim that is free is free for everybody."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 2, lease=60.0) as (process, other):
        await other.take()
        await other.store.end(other.session, process.session.id)
        await other.store.close(other.session)
        server.kill()
        server.start()
        await reopen(process)
        assert await who_has_it(process) is None


async def test_data_that_are_removed_while_a_session_is_opened_are_waited_for(
    postgresql_server: PostgreSQL,
) -> None:
    """Without a beginning nothing could be told apart later."""
    url = fresh(postgresql_server.url)
    async with processes(url, 1) as (process,):
        await process.store.close(process.session)
        administrator = await asyncpg.connect(postgresql_server.url)
        prefix = url.partition("prefix=")[2]
        await administrator.execute(f"BEGIN; DELETE FROM {prefix}.meta")  # noqa: S608  # our own name
        opening = asyncio.ensure_future(process.open())
        while not await run(url, "SELECT FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110  # no news of it
            await asyncio.sleep(0.01)
        await administrator.execute("COMMIT")
        await administrator.close()
        with pytest.raises(StoreUnavailable, match="removed at this moment"):
            await opening
        await process.open()
        assert await process.take() != {}
