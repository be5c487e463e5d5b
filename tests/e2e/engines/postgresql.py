"""What the tests of the PostgreSQL store share: stores as processes have them, and an administrator."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.postgresql import PostgreSQLStore, make
from onepoller.coordination.stores.seam import Batch, Change, Claim, Liveness, Session, Swap
from onepoller.testing.store_contract.rig import BOT, identity
from tests.e2e.engines.servers import Server

PATIENCE = 45.0
LONG = 60.0
"""A lease, in seconds, that nobody waits for."""
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onepoller'"
"""Cuts the connections of all stores."""


def fresh(url: str, **options: str) -> str:
    """A URL with a schema of its own."""
    more = "".join(f"&{name}={value}" for name, value in options.items())
    return f"{url}?prefix=t{secrets.token_hex(6)}{more}"


class Process:
    """A store object and its session, as one process has them."""

    def __init__(self, url: str, *, lease: float = 10.0) -> None:
        self.store: PostgreSQLStore = make(Address.of(url), lease=lease)
        self.session: Session
        self.heard: list[Change] = []
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> Process:
        """Open the session."""
        self.session = await self.store.open(identity())
        return self

    async def take(self, *bots: BotId, requires_over: Process | None = None) -> dict[BotId, Claim]:
        """Take claims as they stand now; one, where none is named."""
        claims = (await self.store.read(bots or [BOT])).claims.values()
        over = requires_over.session.id if requires_over else None
        swaps = [Swap(claim=_taken(claim, self.session), requires_over=over) for claim in claims]
        return dict((await self.store.swap(self.session, Batch(swaps=swaps))).written)

    async def liveness(self, other: Process) -> Liveness:
        """How it sees another."""
        return (await self.store.read()).sessions[other.session.id].liveness

    async def watch(self) -> None:
        """Begin to note what is heard."""

        async def note() -> None:
            async for change in self.store.watch(self.session):
                self.heard.append(change)

        self._watching = asyncio.ensure_future(note())
        await self.wait(lambda: bool(self.heard))

    async def wait(self, condition: Any, *, timeout: float = PATIENCE) -> None:
        """Look until it holds."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110  # of what is looked at there is no news
                await asyncio.sleep(0.005)

    async def wait_heard(self, other: Process, *, timeout: float = PATIENCE) -> None:
        """Wait until the end of another session is heard."""
        await self.wait(lambda: Change(session=other.session.id) in self.heard, timeout=timeout)

    async def die(self) -> None:
        """Close its sockets without a word, as the kernel does."""
        self.store._line.sessions.clear()
        await self._stop()
        self.store._line.drop()

    async def close(self) -> None:
        """End in good order."""
        await self._stop()
        await self.store.close(self.session)

    async def _stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
            if not self._watching.cancelled():
                self._watching.exception()


@asynccontextmanager
async def processes(url: str, count: int, *, lease: float = 10.0) -> AsyncIterator[list[Process]]:
    """Some processes, which end with the block."""
    made = [Process(url, lease=lease) for _ in range(count)]
    try:
        await asyncio.gather(*(process.open() for process in made))
        yield made
    finally:
        for process in made:
            if hasattr(process, "session"):
                await process.close()


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


async def check_restart(server: Server, holder: Process, standby: Process, *, term: Term) -> None:
    """Kill the server and start it again: nobody may follow the holder, which goes on."""
    server.kill()
    server.start()
    await beaten(standby)
    assert await standby.liveness(holder) is Liveness.ALIVE
    assert await standby.take(requires_over=holder) == {}
    await beaten(holder)
    assert holder.session.has_claim(BOT, term)


async def run(url: str, statement: str) -> list[Any]:
    """Run SQL as an administrator; its rows."""
    connection = await asyncpg.connect(url.partition("?")[0])
    try:
        rows: list[Any] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def _taken(claim: Claim, session: Session) -> Claim:
    return Claim(
        bot_id=claim.bot_id, version=claim.version, holder=session.id, term=Term(claim.term + 1), clean=False
    )
