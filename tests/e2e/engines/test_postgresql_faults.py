"""What goes wrong with a PostgreSQL: connections cut, the server frozen or started again, its data lost."""

from __future__ import annotations

import asyncio
import threading
import time

import asyncpg
import pytest

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import boot_clock, first_term
from onepoller.coordination.stores.seam import Liveness
from onepoller.testing.store_contract.rig import BOT
from tests.e2e.engines.fault_proxy import FaultProxy
from tests.e2e.engines.postgresql import CUT, LONG, beaten, check_restart, fresh, processes, run
from tests.e2e.engines.servers import OwnServer, PostgreSQL

# The client forgets the socket of a connection that the server ends while it is being made.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def through(proxy: FaultProxy, server: PostgreSQL, url: str) -> str:
    """The same, through a proxy."""
    return url.replace(f":{server.port}", f":{proxy.port}")


async def test_who_loses_its_connection_delivers_nothing_until_it_is_proved_again(
    own_server: OwnServer,
) -> None:
    """Its lock is free meanwhile: anybody may follow it. Nobody did, so it goes on."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 1, lease=LONG) as (holder,):
        mine = (await holder.take())[BOT]
        await run(server.url, CUT)
        await holder.wait(lambda: holder.session.deadline < boot_clock())
        assert not holder.session.has_claim(BOT, mine.term)
        await beaten(holder)
        assert holder.session.has_claim(BOT, mine.term)


async def test_a_cut_is_seen_by_a_look_though_the_loop_is_busy(own_server: OwnServer) -> None:
    """The look before delivery asks the kernel: a loop may be late by more than others need to follow."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 1, lease=LONG) as (holder,):
        mine = (await holder.take())[BOT]
        cut = threading.Thread(target=lambda: asyncio.run(run(server.url, CUT)))
        cut.start()
        cut.join()  # our loop stands still from here on
        end = time.monotonic() + 20
        while holder.session.has_claim(BOT, mine.term):
            assert time.monotonic() < end
        assert holder.session.deadline > boot_clock()


async def test_who_watches_has_its_connection_again_at_once(own_server: OwnServer) -> None:
    """No beat is waited for; and whoever stands by looks at everything."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 1, lease=LONG) as (holder,):
        mine = (await holder.take())[BOT]
        await holder.watch()
        await run(server.url, CUT)
        await holder.wait(lambda: not holder.session.has_claim(BOT, mine.term))
        await holder.wait(lambda: holder.session.has_claim(BOT, mine.term), timeout=0.9)


async def test_who_was_ended_while_it_had_no_connection_is_over(own_server: OwnServer) -> None:
    """Another has taken its claim; it is not revived."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 2, lease=LONG) as (holder, standby):
        await holder.take()
        await run(server.url, CUT)
        await beaten(standby)
        async with asyncio.timeout(20):
            while await standby.liveness(holder) is not Liveness.SILENT:  # noqa: ASYNC110  # no news of it here
                await asyncio.sleep(0.01)
        assert await standby.take(requires_over=holder) != {}
        with pytest.raises(SessionOver):
            await beaten(holder)


async def test_an_end_that_only_the_server_has_seen_is_found_out(postgresql_server: PostgreSQL) -> None:
    """Its next look is not answered, and another connection tells; its deadline is far away.

    Only who says `mode=connection` is followed at once where something lies between it and the server.
    """
    url = fresh(postgresql_server.url)
    with FaultProxy(postgresql_server.port) as proxy:
        way = through(proxy, postgresql_server, url) + "&mode=connection"
        async with processes(way, 1, lease=LONG) as (holder,), processes(url, 1) as (standby,):
            mine = (await holder.take())[BOT]
            await holder.watch()
            await asyncio.to_thread(proxy.forget, server_hears=True)
            assert holder.session.has_claim(BOT, mine.term)
            while not await standby.take(requires_over=holder):  # noqa: ASYNC110  # no news of it here
                await asyncio.sleep(0.01)
            await holder.wait(lambda: not holder.session.has_claim(BOT, mine.term), timeout=LONG / 6)
            await holder.wait(lambda: holder.session.is_over)  # type: ignore[attr-defined]  # of every engine's


def test_an_end_that_only_the_server_has_seen_is_no_death(
    postgresql_server: PostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    """What lies between is seen by its address: nobody follows the holder, which goes on in its session."""
    url = fresh(postgresql_server.url)

    async def body() -> None:
        with FaultProxy(postgresql_server.port) as proxy:
            way = through(proxy, postgresql_server, url)
            async with processes(way, 1, lease=LONG) as (holder,), processes(url, 1) as (standby,):
                mine = (await holder.take())[BOT]
                await holder.watch()
                lost = holder.store._line._link
                await asyncio.to_thread(proxy.forget, server_hears=True)
                await holder.wait(lambda: holder.store._line._link not in (None, lost))
                await beaten(holder)
                assert await standby.take(requires_over=holder) == {}
                assert holder.session.has_claim(BOT, mine.term)

    with caplog.at_level("INFO", logger="onepoller"):
        asyncio.run(body())
    assert sum("at another address than ours" in line for line in caplog.messages) == 1


async def test_who_is_not_answered_keeps_a_connection_that_the_server_has(
    postgresql_server: PostgreSQL,
) -> None:
    """A statement waits for somebody's lock on our tables: the holder goes on until its deadline."""
    url = fresh(postgresql_server.url)
    prefix = url.partition("prefix=")[2]
    async with processes(url, 1, lease=LONG) as (holder,):
        mine = (await holder.take())[BOT]
        await holder.watch()
        link = holder.store._line._link
        administrator = await asyncpg.connect(postgresql_server.url)
        await administrator.execute(f"BEGIN; LOCK TABLE {prefix}.meta")
        assert holder._watching is not None
        await asyncio.wait({holder._watching}, timeout=20)
        assert isinstance(holder._watching.exception(), StoreUnavailable)
        assert holder.session.has_claim(BOT, mine.term)
        assert holder.store._line._link is link
        await administrator.close()


async def test_after_a_restart_nobody_follows_a_holder_within_its_lease(own_server: OwnServer) -> None:
    """All locks are free then, and prove nothing. The holder goes on, in the same session."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 2, lease=LONG) as (holder, standby):
        mine = (await holder.take())[BOT]
        await check_restart(server, holder, standby, term=mine.term)


async def test_after_a_restart_a_dead_holder_is_followed_after_its_lease(own_server: OwnServer) -> None:
    """Counted from when the new life of the server was first seen; the standby hears of it."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 2, lease=1.0) as (holder, standby):
        await holder.take()
        await holder.die()
        server.kill()
        server.start()
        await beaten(standby)
        assert await standby.liveness(holder) is Liveness.ALIVE
        await standby.watch()
        await standby.wait_heard(holder)
        assert await standby.take(requires_over=holder) != {}


async def test_terms_are_raised_by_each_new_life_of_the_server(own_server: OwnServer) -> None:
    """A backup that was restored, or a replica that lacks the last writes, cannot lead terms back."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 2, lease=LONG) as (first, second):
        mine = (await first.take())[BOT]
        await first.store.close(first.session)
        server.stop()
        server.start()
        await beaten(second)
        theirs = (await second.take())[BOT]
        # More than the changes that may have been lost: a second is a million steps.
        assert theirs.term > mine.term + 2**17


async def test_a_change_of_holder_costs_one_step(postgresql_server: PostgreSQL) -> None:
    """In one life of the server."""
    async with processes(fresh(postgresql_server.url), 2) as (first, second):
        mine = (await first.take())[BOT]
        await first.store.close(first.session)
        assert (await second.take())[BOT].term == mine.term + 1


@pytest.mark.parametrize("lost", ["DROP SCHEMA {} CASCADE", "TRUNCATE {0}.meta, {0}.sessions, {0}.claims"])
async def test_lost_data_end_sessions_and_never_lead_terms_back(
    postgresql_server: PostgreSQL, lost: str
) -> None:
    """Everything begins anew, later than it was."""
    url = fresh(postgresql_server.url)
    async with processes(url, 1) as (process,):
        before = (await process.take())[BOT]
        await run(url, lost.format(url.rpartition("=")[2]))
        with pytest.raises(SessionOver):
            await beaten(process)
        await process.store.close(process.session)
        await process.open()
        assert (await process.take())[BOT].term > before.term


async def test_a_claim_that_was_lost_begins_later_than_it_was(postgresql_server: PostgreSQL) -> None:
    """Also where the rest is there."""
    url = fresh(postgresql_server.url)
    async with processes(url, 1) as (process,):
        before = (await process.take())[BOT]
        await run(url, f"DELETE FROM {url.rpartition('=')[2]}.claims")  # noqa: S608  # our own name
        assert (await process.take())[BOT].term > before.term


async def test_terms_begin_at_the_servers_clock(postgresql_server: PostgreSQL) -> None:
    """They are comparable with those of every other store."""
    url = fresh(postgresql_server.url)
    (row,) = await run(url, "SELECT extract(epoch FROM clock_timestamp())::float8 AS now")
    async with processes(url, 1) as (process,):
        term = (await process.take())[BOT].term
    assert first_term(row["now"]) < term < first_term(row["now"] + 60)


async def test_a_frozen_server_is_told_in_time_and_waited_for(own_server: OwnServer) -> None:
    """Each call has its limit; the answer that comes late counts, or the session is proved again."""
    server = own_server(PostgreSQL)
    async with processes(fresh(server.url), 1, lease=2.0) as (process,):
        mine = (await process.take())[BOT]
        server.freeze()
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable, match=r"did not answer within 0\.5 s"):
            await process.store.beat(process.session)
        assert asyncio.get_running_loop().time() - started < 1.5
        assert process.session.has_claim(BOT, mine.term)
        server.thaw()
        await beaten(process)
        assert process.session.has_claim(BOT, mine.term)
