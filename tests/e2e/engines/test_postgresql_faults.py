"""What goes wrong with a PostgreSQL: connections cut, the server frozen or started again, its data lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import SessionId, boot_clock, first_term
from onepoller.coordination.stores.seam import Change, Liveness
from onepoller.testing.store_contract.rig import BOT, OTHER
from tests.e2e.engines.postgresql import Process, fresh, processes, run
from tests.e2e.engines.servers import PostgreSQL, Server

pytestmark = pytest.mark.slow

Own = Callable[[type[Server]], Server]
ROOT = Path(__file__).parents[3]
LONG = 60.0
"""A lease, in seconds, that nobody waits for."""
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onepoller'"


async def beaten(process: Process) -> None:
    """Beat until it is answered, as an instance does."""
    async with asyncio.timeout(20):
        while True:
            try:
                await process.store.beat(process.session)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


def test_who_loses_its_connection_delivers_nothing_until_it_is_proved_again(own_server: Own) -> None:
    """Its lock is free meanwhile: anybody may follow it. Nobody did, so it goes on."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        async with processes(fresh(server.url), 1, lease=LONG) as (holder,):
            mine = (await holder.take())[BOT]
            await run(server.url, _CUT)
            await holder.wait(lambda: not holder.session.has_claim(BOT, mine.term))
            assert holder.session.deadline < boot_clock()
            await beaten(holder)
            assert holder.session.has_claim(BOT, mine.term)

    asyncio.run(body())


def test_who_watches_has_its_connection_again_at_once(own_server: Own) -> None:
    """No beat is waited for; and whoever stands by looks at everything."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        async with processes(fresh(server.url), 1, lease=LONG) as (holder,):
            mine = (await holder.take())[BOT]
            await holder.watch()
            await run(server.url, _CUT)
            await holder.wait(lambda: not holder.session.has_claim(BOT, mine.term))
            await holder.wait(lambda: holder.session.has_claim(BOT, mine.term), timeout=0.9)

    asyncio.run(body())


def test_who_was_ended_while_it_had_no_connection_is_over(own_server: Own) -> None:
    """Another has taken its claim; it is not revived."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        async with processes(fresh(server.url), 2, lease=LONG) as (holder, standby):
            await holder.take()
            await run(server.url, _CUT)
            await beaten(standby)
            async with asyncio.timeout(20):
                while await standby.liveness(holder) is not Liveness.SILENT:  # noqa: ASYNC110  # no news of it here
                    await asyncio.sleep(0.01)
            assert await standby.take(requires_over=holder) != {}
            with pytest.raises(SessionOver):
                await beaten(holder)

    asyncio.run(body())


def test_after_a_restart_nobody_follows_a_holder_within_its_lease(own_server: Own) -> None:
    """All locks are free then, and prove nothing. The holder goes on, in the same session."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        async with processes(fresh(server.url), 2, lease=LONG) as (holder, standby):
            mine = (await holder.take())[BOT]
            server.kill()
            server.start()
            await beaten(standby)
            assert await standby.liveness(holder) is Liveness.ALIVE
            assert await standby.take(requires_over=holder) == {}
            await beaten(holder)
            assert holder.session.has_claim(BOT, mine.term)

    asyncio.run(body())


def test_after_a_restart_a_dead_holder_is_followed_after_its_lease(own_server: Own) -> None:
    """Counted from when the new life of the server was first seen; the standby hears of it."""

    async def body() -> None:
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

    asyncio.run(body())


def test_terms_are_raised_by_each_new_life_of_the_server(own_server: Own) -> None:
    """A backup that was restored, or a replica that lacks the last writes, cannot lead terms back."""

    async def body() -> None:
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

    asyncio.run(body())


def test_a_change_of_holder_costs_one_step(postgresql_server: PostgreSQL) -> None:
    """In one life of the server."""

    async def body() -> None:
        async with processes(fresh(postgresql_server.url), 2) as (first, second):
            mine = (await first.take())[BOT]
            await first.store.close(first.session)
            assert (await second.take())[BOT].term == mine.term + 1

    asyncio.run(body())


@pytest.mark.parametrize("lost", ["DROP SCHEMA {} CASCADE", "TRUNCATE {0}.meta, {0}.sessions, {0}.claims"])
def test_lost_data_end_sessions_and_never_lead_terms_back(postgresql_server: PostgreSQL, lost: str) -> None:
    """Everything begins anew, later than it was."""
    url = fresh(postgresql_server.url)

    async def body() -> None:
        async with processes(url, 1) as (process,):
            before = (await process.take())[BOT]
            await run(url, lost.format(url.rpartition("=")[2]))
            with pytest.raises(SessionOver):
                await beaten(process)
            await process.store.close(process.session)
            await process.open()
            assert (await process.take())[BOT].term > before.term

    asyncio.run(body())


def test_a_claim_that_was_lost_begins_later_than_it_was(postgresql_server: PostgreSQL) -> None:
    """Also where the rest is there."""
    url = fresh(postgresql_server.url)

    async def body() -> None:
        async with processes(url, 1) as (process,):
            before = (await process.take())[BOT]
            await run(url, f"DELETE FROM {url.rpartition('=')[2]}.claims")  # noqa: S608  # our own name
            assert (await process.take())[BOT].term > before.term

    asyncio.run(body())


def test_terms_begin_at_the_servers_clock(postgresql_server: PostgreSQL) -> None:
    """They are comparable with those of every other store."""

    async def body() -> None:
        url = fresh(postgresql_server.url)
        (row,) = await run(url, "SELECT extract(epoch FROM clock_timestamp())::float8 AS now")
        async with processes(url, 1) as (process,):
            term = (await process.take())[BOT].term
        assert first_term(row["now"]) < term < first_term(row["now"] + 60)

    asyncio.run(body())


def test_a_frozen_server_is_told_in_time_and_waited_for(own_server: Own) -> None:
    """Each call has its limit; the answer that comes late counts, or the session is proved again."""

    async def body() -> None:
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

    asyncio.run(body())


def test_a_frozen_process_is_heard_though_it_is_called_all_the_time(postgresql_server: PostgreSQL) -> None:
    """What the server sends does not count as a sign of life."""

    async def body() -> None:
        url = fresh(postgresql_server.url)
        async with processes(url, 3, lease=1.0) as (holder, standby, caller):
            await holder.take()
            await standby.watch()
            began = asyncio.get_running_loop().time()
            while Change(session=holder.session.id) not in standby.heard:
                await caller.take(OTHER)
                await run(url, f"SELECT pg_notify('{url.rpartition('=')[2]}', 'somebody')")  # our own name
                await asyncio.sleep(0.02)
                assert asyncio.get_running_loop().time() - began < 10
            assert await standby.liveness(holder) is Liveness.SILENT

    asyncio.run(body())


def test_two_neighbours_that_die_together_are_both_heard(postgresql_server: PostgreSQL) -> None:
    """Whoever waited for the one waits for the other next, however the ring is closed."""

    async def body() -> None:
        async with processes(fresh(postgresql_server.url), 5, lease=LONG) as made:
            for process in made:
                process.store._slow_look = LONG
                await process.watch()
            by_id = sorted(made, key=lambda process: process.session.id)
            dead, living = by_id[1:3], [by_id[0], *by_id[3:]]
            for number, process in enumerate(dead):
                await process.take([BOT, OTHER][number])
                await process.die()
            for process in living:
                for other in dead:
                    await process.wait_heard(other)

    asyncio.run(body())


def test_who_comes_later_is_waited_for_too(postgresql_server: PostgreSQL) -> None:
    """A ring takes in a new neighbour: nobody's death is left to the slow look."""

    async def body() -> None:
        url = fresh(postgresql_server.url)
        async with processes(url, 1, lease=LONG) as (first,):
            first.store._slow_look = LONG
            await first.watch()
            for _ in range(4):
                async with processes(url, 1, lease=LONG) as (other,):
                    await other.take()
                    await other.die()
                    await first.wait_heard(other)

    asyncio.run(body())


def test_behind_a_pooler_lost_beats_prove_nothing_after_a_restart(own_server: Own) -> None:
    """A replica that took over may lack the last beats; a lease passes before anybody is followed."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        url = fresh(server.url, mode="pooler")
        prefix = url.partition("prefix=")[2].partition("&")[0]
        async with processes(url, 2, lease=LONG) as (holder, standby):
            mine = (await holder.take())[BOT]
            lost = f"UPDATE {prefix}.sessions SET beaten_at = beaten_at - interval '1 hour' WHERE id = "  # noqa: S608  # our own name
            await run(server.url, f"{lost}'{holder.session.id}'")
            assert await standby.liveness(holder) is Liveness.SILENT
            server.kill()
            server.start()
            await beaten(standby)
            assert await standby.liveness(holder) is Liveness.ALIVE
            assert await standby.take(requires_over=holder) == {}
            await beaten(holder)
            assert holder.session.has_claim(BOT, mine.term)

    asyncio.run(body())


def test_behind_a_pooler_the_end_of_a_lease_is_looked_for(postgresql_server: PostgreSQL) -> None:
    """Not only at the next slow look."""

    async def body() -> None:
        url = fresh(postgresql_server.url, mode="pooler")
        async with processes(url, 2, lease=1.0) as (holder, standby):
            standby.store._slow_look = LONG
            await holder.take()
            await standby.watch()
            await standby.wait_heard(holder, timeout=10)
            assert await standby.liveness(holder) is Liveness.SILENT

    asyncio.run(body())


def test_behind_a_pooler_a_client_that_freezes_before_its_commit_is_waited_for_briefly(
    postgresql_server: PostgreSQL,
) -> None:
    """It holds what every writer needs; the server ends it."""

    async def body() -> None:
        url = fresh(postgresql_server.url, mode="pooler")
        prefix = url.partition("prefix=")[2].partition("&")[0]
        async with processes(url, 1, lease=LONG) as (process,):
            frozen = await asyncpg.connect(postgresql_server.url)
            await frozen.execute(f"BEGIN; SELECT {prefix}.leave('somebody')")
            assert await process.take() != {}
            await frozen.close()

    asyncio.run(body())


def test_a_process_that_is_known_to_be_dead_is_over(postgresql_server: PostgreSQL) -> None:
    """Whoever can prove it says so; everybody hears of it, and nobody waits for its lease."""

    async def body() -> None:
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

    asyncio.run(body())


def test_a_sleeping_child_does_not_keep_its_dead_parents_lock(postgresql_server: PostgreSQL) -> None:
    """It has closed the connection that it inherited; nobody waits for the hour's lease."""
    url = fresh(postgresql_server.url)

    async def body() -> None:
        async with processes(url, 1, lease=LONG) as (standby,):
            await standby.watch()
            program = [sys.executable, "-m", "tests.e2e.engines.postgresql_holder", url]
            holder = await asyncio.create_subprocess_exec(
                *program, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
            )
            assert holder.stdout is not None
            session, child = (await holder.stdout.readline()).decode().split()
            try:
                holder.kill()
                await standby.wait(lambda: Change(session=SessionId(session)) in standby.heard, timeout=5)
            finally:
                os.kill(int(child), signal.SIGKILL)
                await holder.wait()

    asyncio.run(body())
