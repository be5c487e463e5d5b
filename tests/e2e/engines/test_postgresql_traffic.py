"""What PostgreSQL has to do does not depend on the number of bots, and little on that of those who wait."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from onepoller import OnePoller
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.seam import Batch, Claim, Swap, Wish
from tests.e2e.engines.postgresql import PATIENCE, Process, fresh, processes, run
from tests.e2e.engines.servers import OwnServer, PostgreSQL, Server

pytestmark = pytest.mark.slow

LEASE = 6.0
"""Seconds: ten instances in one process may keep a heartbeat waiting."""
SETTLED = 2.0
"""Seconds after which everybody has looked again."""
MANY = [BotId(number) for number in range(1, 10_001)]


_STATEMENT = re.compile(r" LOG:  (execute |statement: )")


class Statements:
    """What a server has executed, by its own log."""

    def __init__(self, server: Server) -> None:
        self._log = server.folder / "log"
        self._begun = 0

    def begin(self) -> None:
        """Count from here."""
        self._begun = self._log.stat().st_size

    def naming(self, word: str) -> int:
        """So many since then with a word."""
        return self._log.read_bytes()[self._begun :].decode().count(word)

    def count(self, *, but: str = "no such word") -> int:
        """So many since then, but those with a word."""
        lines = self._log.read_bytes()[self._begun :].decode().splitlines()
        return len([line for line in lines if _STATEMENT.search(line) and but not in line])


async def counted(server: Server) -> Statements:
    """Let everything that connects from now on be counted."""
    await run(server.url, "ALTER SYSTEM SET log_statement = 'all'")
    await run(server.url, "SELECT pg_reload_conf()")
    statements = Statements(server)
    async with asyncio.timeout(20):
        while not statements.count():  # the setting arrives a moment later
            await run(server.url, "SELECT 1")
    return statements


async def live(made: list[Process], seconds: float) -> None:
    """Beat as an instance does, beside the watches."""
    for _ in range(int(seconds / 0.5)):
        for process in made:
            await process.store.beat(process.session, report=b"a" * 50)
        await asyncio.sleep(0.5)


def test_the_steady_state_is_the_same_with_one_bot_and_with_ten_thousand(own_server: OwnServer) -> None:
    """A holder and a standby, over three seconds."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        statements = await counted(server)
        counts = []
        for bots in (MANY[:1], MANY):
            async with processes(fresh(server.url), 2, lease=1.5) as made:
                holder, standby = made
                await holder.take(*bots)
                wishes = [Wish(bot_id=bot_id, session=standby.session.id) for bot_id in bots]
                await standby.store.swap(standby.session, Batch(wishes=wishes))
                for process in made:
                    process.store._slow_look = 0.5
                    await process.watch()
                await live(made, 1.0)
                statements.begin()
                await live(made, 3.0)
                counts.append(statements.count())
        # Two periods of looks and waits may begin and end inside or outside of the three seconds.
        assert counts[1] == pytest.approx(counts[0], abs=5)

    asyncio.run(body())


def test_ten_standbys_do_not_stampede(own_server: OwnServer) -> None:
    """One of them notices the death, and the server tells the others: a few statements in all."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        statements = await counted(server)
        async with processes(fresh(server.url), 11, lease=30.0) as (holder, *standbys):
            await holder.take(*MANY[:1000])
            for standby in standbys:
                standby.store._slow_look = 60.0
                await standby.watch()
            await asyncio.sleep(0.5)
            statements.begin()
            await holder.die()
            for standby in standbys:
                await standby.wait_heard(holder)
            told = statements.count(but="await_silence")  # each has one, once a second
            claims = (await standbys[0].store.read(MANY[:1000])).claims.values()
            swaps = [_for(standbys[0], claim, holder) for claim in claims]
            written = (await standbys[0].store.swap(standbys[0].session, Batch(swaps=swaps))).written
            assert len(written) == 1000
            # The one that noticed it looks for its next neighbour; then there are the read and the swap.
            assert told <= 4
            assert statements.count(but="await_silence") <= told + 4

    asyncio.run(body())


@pytest.mark.parametrize("mode", ["connection", "pooler"])
def test_ten_instances_do_not_stampede(own_server: OwnServer, mode: str) -> None:
    """One of them takes the claims of a dead holder; the others read a few times what became of it."""
    bots = MANY[:50]

    async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  # it never ends
        await asyncio.sleep(3600)
        raise AssertionError

    async def body() -> None:
        server = own_server(PostgreSQL)
        statements = await counted(server)
        url = fresh(server.url, mode=mode)
        wishes = f"SELECT count(*) FROM {url.partition('prefix=')[2].partition('&')[0]}.wishes"  # noqa: S608  # our own name
        async with processes(url, 1, lease=LEASE) as (holder,):
            await holder.take(*bots)
            beating = asyncio.ensure_future(live([holder], 60.0))
            pollers = [OnePoller(store=url, lease=LEASE, on_rival="hold") for _ in range(10)]
            polls = [asyncio.ensure_future(p.get_updates(b, call, timeout=60)) for p in pollers for b in bots]
            async with asyncio.timeout(PATIENCE):
                while (await run(server.url, wishes))[0][0] < 10 * len(bots):  # noqa: ASYNC110  # seen at the server
                    await asyncio.sleep(0.1)
            await asyncio.sleep(SETTLED)  # they look again, each once its wish stands
            assert (await run(server.url, wishes))[0][0] == 10 * len(bots)
            statements.begin()
            beating.cancel()
            await holder.die()
            async with asyncio.timeout(PATIENCE):
                while (await run(server.url, wishes))[0][0] > 9 * len(bots):  # noqa: ASYNC110  # as above
                    await asyncio.sleep(0.1)
            await asyncio.sleep(SETTLED)  # whoever has something to do about it has done it
            reads, swaps = statements.naming("'claim' AS part"), statements.naming(".swap(")
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)
            for poller in pollers:
                await asyncio.to_thread(poller.close)
            assert 10 <= reads <= 50  # 15 to 30, on a busy machine
            assert 1 <= swaps <= 3

    asyncio.run(body())


def test_what_was_refused_is_no_news(postgresql_server: PostgreSQL) -> None:
    """Whoever looks slowly reads nothing anew because somebody came too late."""
    url = fresh(postgresql_server.url)

    async def body() -> None:
        async with processes(url, 2) as (first, second):
            seen = (await second.store.read(MANY[:1])).claims.values()
            await first.take(*MANY[:1])
            number = f"SELECT number FROM {url.rpartition('=')[2]}.meta"  # noqa: S608  # our own name
            before = await run(url, number)
            late = [Swap(claim=claim) for claim in seen]
            assert (await second.store.swap(second.session, Batch(swaps=late))).written == {}
            assert await run(url, number) == before
            await first.store.swap(first.session, Batch(wishes=[_wish(first)]))
            assert await run(url, number) != before

    asyncio.run(body())


def test_a_large_report_is_not_sent_with_every_beat(own_server: OwnServer) -> None:
    """Ten thousand bots report hundreds of kilobytes: once in a lease is enough."""

    async def body() -> None:
        server = own_server(PostgreSQL)
        async with processes(fresh(server.url), 1, lease=30.0) as (process,):
            first, second = b"a" * 100_000, b"b" * 100_000
            await process.store.beat(process.session, report=first)
            await process.store.beat(process.session, report=second)
            read = await process.store.read()
            assert read.sessions[process.session.id].report == first

    asyncio.run(body())


def _wish(process: Process) -> Wish:
    return Wish(bot_id=MANY[0], session=process.session.id)


def _for(process: Process, claim: Claim, holder: Process) -> Swap:
    taken = Claim(
        bot_id=claim.bot_id, version=claim.version, holder=process.session.id, term=claim.term, clean=False
    )
    return Swap(claim=taken, requires_over=holder.session.id)
