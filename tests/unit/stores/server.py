"""A server that stands for Redis and the like, on the store in memory; and its clients, who may be cut off.

A client's session is an `EngineSession`: nobody asks the server before delivery.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId, boot_clock
from onepoller.coordination.stores.engine import EngineSession
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch, Change, Session, Snapshot, Swapped


class Server:
    """What the clients share."""

    def __init__(
        self, *, lease: float = 10.0, clock: Callable[[], float] = boot_clock, slow_look: float = 1.0
    ) -> None:
        self.lease = Lease.of(lease)
        self.clock = clock
        self.memory = MemoryStore(lease=lease, clock=clock, slow_look=slow_look)
        self.ended: list[SessionId] = []
        """Which sessions a client has ended on a proof of its own."""


class Client:
    """One process's store: an `EngineStore`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.is_away = False
        self.gives_up_after = 0.0
        """Seconds until a call that finds it away fails."""
        self.is_deaf = False
        """Only its watch fails."""
        self._memory = server.memory
        self._inner: dict[SessionId, Session] = {}
        self._sessions: dict[SessionId, EngineSession] = {}

    async def open(self, identity: Identity) -> Session:
        """See `Store`."""
        await self._reach()
        sent_at = self.server.clock()
        inner = await self._memory.open(identity)
        own = EngineSession(inner.id, lease=self.server.lease, sent_at=sent_at, clock=self.server.clock)
        self._inner[own.id], self._sessions[own.id] = inner, own
        return own

    async def close(self, session: Session) -> None:
        """See `Store`."""
        await self._reach()
        _own(session).end()
        if session.id in self._inner:
            await self._memory.close(self._inner.pop(session.id))

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        """See `Store`."""
        await self._reach()
        sent_at = self.server.clock()
        with self._ending(session) as inner:
            await self._memory.beat(inner, report=report, confirm=confirm)
        _own(session).beaten(sent_at)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """See `Store`."""
        await self._reach()
        snapshot = await self._memory.read(bots)
        for own in self._sessions.values():
            own.seen(snapshot.claims.values())
        return snapshot

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """See `Store`."""
        await self._reach()
        with self._ending(session) as inner:
            swapped = await self._memory.swap(inner, batch)
        _own(session).seen(swapped.written.values())
        return swapped

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """See `Store`."""
        await self._reach()
        if session.id not in self._inner:
            return
        async for change in self._memory.watch(self._inner[session.id]):
            await self._reach()
            if self.is_deaf:
                raise StoreUnavailable("the server says nothing by itself")
            yield change

    async def end(self, session: Session, dead: SessionId) -> None:
        """See `EngineStore`."""
        await self._reach()
        with self._ending(session):
            if self._memory._is_gone(self._inner[session.id]):
                raise SessionOver(f"Session {session.id} is over; open a new one.")
        self.server.ended.append(dead)
        with self._memory._lock:
            self._memory._end(dead)
        self._memory._tell_all(Change(session=dead))

    async def _reach(self) -> None:
        if self.is_away:
            await asyncio.sleep(self.gives_up_after)
            raise StoreUnavailable("the server does not answer")

    @contextmanager
    def _ending(self, session: Session) -> Iterator[Session]:
        try:
            if session.id not in self._inner:
                raise SessionOver(f"Session {session.id} is over; open a new one.")  # noqa: TRY301  # one way out
            yield self._inner[session.id]
        except SessionOver:
            _own(session).end()
            raise


def _own(session: Session) -> EngineSession:
    assert isinstance(session, EngineSession)
    return session
