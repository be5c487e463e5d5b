"""Deaths are heard at once, whoever dies, also behind a forked child; a freeze after the lease."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.seam import Change, Liveness
from onepoller.testing.store_contract.rig import BOT, OTHER
from tests.e2e.engines.postgresql import LONG, Process, fresh, processes, run
from tests.e2e.engines.servers import PostgreSQL

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROOT = Path(__file__).parents[3]


async def test_a_frozen_process_is_heard_though_it_is_called_all_the_time(
    postgresql_server: PostgreSQL,
) -> None:
    """What the server sends does not count as a sign of life."""
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


async def test_two_neighbours_that_die_together_are_both_heard(postgresql_server: PostgreSQL) -> None:
    """Whoever waited for the one waits for the other next, however the ring is closed."""
    url = fresh(postgresql_server.url)
    async with processes(url, 5, lease=LONG) as made:
        for process in made:
            process.store._slow_look = LONG
            await process.watch()
        by_id = sorted(made, key=lambda process: process.session.id)
        dead, living = (
            [by_id[2], by_id[1]],
            [by_id[0], *by_id[3:]],
        )  # who waited for the second goes first
        for number, process in enumerate(dead):
            await process.take([BOT, OTHER][number])
            await process.die()
        for process in living:
            for other in dead:
                await process.wait_heard(other)
        later = await Process(url, lease=LONG).open()  # and nobody tells of the dead for ever
        await later.take()
        await later.die()
        for process in living:
            await process.wait_heard(later)
            assert len(process.heard) < 20


async def test_who_comes_later_is_waited_for_too(postgresql_server: PostgreSQL) -> None:
    """A ring takes in a new neighbour: nobody's death is left to the slow look."""
    url = fresh(postgresql_server.url)
    async with processes(url, 1, lease=LONG) as (first,):
        first.store._slow_look = LONG
        await first.watch()
        for _ in range(4):
            async with processes(url, 1, lease=LONG) as (other,):
                await other.take()
                await other.die()
                await first.wait_heard(other)


async def test_a_sleeping_child_does_not_keep_its_dead_parents_lock(postgresql_server: PostgreSQL) -> None:
    """It has closed the connection that it inherited; nobody waits for the hour's lease."""
    url = fresh(postgresql_server.url)
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
            await holder.communicate()  # until both have closed the pipe
