"""Sessions that are a beat, as behind a pooler: what proves their end, and what does not."""

from __future__ import annotations

import asyncpg
import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.stores.seam import Liveness
from onepoller.testing.store_contract.rig import BOT
from tests.e2e.engines.postgresql import CUT, LONG, beaten, check_restart, fresh, processes, run
from tests.e2e.engines.servers import OwnServer, PostgreSQL

# The client forgets the socket of a connection that the server ends while it is being made.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


async def test_behind_a_pooler_a_cut_connection_is_nothing(own_server: OwnServer) -> None:
    """The beat is what counts there, and there was one a moment ago."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url, mode="pooler"), 1, lease=LONG) as (holder,):
        mine = (await holder.take())[BOT]
        await run(server.url, CUT)
        await holder.wait(lambda: holder.store._line._link is None or not holder.store._line._link.is_open)
        assert holder.session.has_claim(BOT, mine.term)
        await beaten(holder)


async def test_behind_a_pooler_lost_beats_prove_nothing_after_a_restart(own_server: OwnServer) -> None:
    """A replica that took over may lack the last beats; a lease passes before anybody is followed."""
    server = own_server(PostgreSQL)
    url = fresh(server.url, mode="pooler")
    prefix = url.partition("prefix=")[2].partition("&")[0]
    async with processes(url, 2, lease=LONG) as (holder, standby):
        mine = (await holder.take())[BOT]
        lost = f"UPDATE {prefix}.sessions SET beaten_at = beaten_at - interval '1 hour' WHERE id = "  # noqa: S608  # our own name
        await run(server.url, f"{lost}'{holder.session.id}'")
        assert await standby.liveness(holder) is Liveness.SILENT
        await check_restart(server, holder, standby, term=mine.term)


async def test_behind_a_pooler_the_end_of_a_lease_is_looked_for(postgresql_server: PostgreSQL) -> None:
    """Not only at the next slow look."""
    url = fresh(postgresql_server.url, mode="pooler")
    async with processes(url, 2, lease=1.0) as (holder, standby):
        standby.store._slow_look = LONG
        await holder.take()
        await standby.watch()
        await standby.wait_heard(holder, timeout=10)
        assert await standby.liveness(holder) is Liveness.SILENT


async def test_behind_a_pooler_a_client_that_freezes_before_its_commit_is_waited_for_briefly(
    postgresql_server: PostgreSQL,
) -> None:
    """It holds what every writer needs; the server ends it."""
    url = fresh(postgresql_server.url, mode="pooler")
    prefix = url.partition("prefix=")[2].partition("&")[0]
    async with processes(url, 1, lease=LONG) as (process,):
        frozen = await asyncpg.connect(postgresql_server.url)
        await frozen.execute(f"BEGIN; SELECT {prefix}.leave('somebody')")
        assert await process.take() != {}
        await frozen.close()


@pytest.mark.parametrize("pooled", ["the holder", "the standby"])
async def test_processes_of_both_modes_follow_each_other(postgresql_server: PostgreSQL, pooled: str) -> None:
    """Each is judged by what it is: a lock, or a beat."""
    url = fresh(postgresql_server.url)
    urls = [f"{url}&mode=pooler" if pooled == name else url for name in ("the holder", "the standby")]
    async with (
        processes(urls[0], 1, lease=1.0) as (holder,),
        processes(urls[1], 1, lease=1.0) as (standby,),
    ):
        await holder.take()
        assert await standby.take(requires_over=holder) == {}
        await standby.watch()
        await holder.die()
        await standby.wait_heard(holder)
        assert await standby.take(requires_over=holder) != {}


async def test_a_process_that_is_known_to_be_dead_is_over(postgresql_server: PostgreSQL) -> None:
    """Whoever can prove it says so; everybody hears of it, and nobody waits for its lease."""
    url = fresh(postgresql_server.url, mode="pooler")
    async with processes(url, 2, lease=LONG) as (dead, heir):
        await dead.take()
        await heir.store.end(heir.session, dead.session.id)
        await heir.store.end(heir.session, dead.session.id)
        assert await heir.liveness(dead) is Liveness.OVER
        assert await heir.take(requires_over=dead) != {}
        with pytest.raises(SessionOver):
            await beaten(dead)
        with pytest.raises(SessionOver):
            await dead.store.end(dead.session, heir.session.id)
