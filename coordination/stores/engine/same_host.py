"""A store on a server that knows at once when a process of this host is dead.

The server learns of a death when a lease is over. Whoever runs on the same host can prove it by a kernel lock
(`witness`), end the dead session on the server, and take its claims: a crash and a restart, or a standby
beside the holder, cost milliseconds instead of a lease. What cannot be proved is left to the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from onepoller.coordination.identity import BotId, Identity, SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.engine.session import EngineSession
from onepoller.coordination.stores.engine.store import EngineStore
from onepoller.coordination.stores.engine.witness import Witnesses
from onepoller.coordination.stores.file.hearing import Hearing, ear_on
from onepoller.coordination.stores.file.session_file import SessionFile
from onepoller.coordination.stores.seam import (
    Batch,
    Change,
    Liveness,
    Session,
    SessionRecord,
    Snapshot,
    Swapped,
)

if TYPE_CHECKING:
    from inotify_simple import INotify


class SameHostStore:
    """Wraps an engine. Sessions are the engine's own."""

    def __init__(self, inner: EngineStore, witnesses: Witnesses, *, slow_look: float = 1.0) -> None:
        self._inner = inner
        self._witnesses = witnesses
        self._slow_look = slow_look
        self._locks: dict[SessionId, SessionFile | None] = {}
        """Of our own sessions; None where there is none to be had."""
        self._ear: INotify | None = None
        """Opened before the connection, whose end others wait for (`hearing`); the next watch takes it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._inner!r}>"

    def __str__(self) -> str:
        return str(self._inner)

    async def open(self, identity: Identity) -> Session:
        """See `Store`."""
        if self._ear is None and self._witnesses.has_place():
            self._ear = ear_on(self._witnesses.directory)
        try:
            session = await self._inner.open(identity)
        except BaseException:
            self._close_ear()
            raise
        self._locks[session.id] = self._witnesses.testify(session.id)
        return session

    async def close(self, session: Session) -> None:
        """See `Store`. Where the server cannot be told, our lock, which is free, tells this host."""
        lock = self._locks.pop(session.id, None)
        try:
            await self._inner.close(session)
            if lock is not None:
                lock.unlink()
        finally:
            if isinstance(session, EngineSession):
                session.end()  # from here on others may take its claims
            if lock is not None:
                lock.close()
            self._close_ear()

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        """See `Store`."""
        await self._inner.beat(session, report=report, confirm=confirm)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """See `Store`. A session whose process is proved dead is SILENT."""
        snapshot = await self._inner.read(bots)
        dead = [record for record in snapshot.sessions.values() if self._is_proved_dead(record)]
        if not dead:
            return snapshot
        silent = {record.id: replace(record, liveness=Liveness.SILENT) for record in dead}
        return replace(snapshot, sessions={**snapshot.sessions, **silent})

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """See `Store`. Ends the sessions that must be over and are proved dead, before it writes."""
        required = {swap.requires_over for swap in batch.swaps if swap.requires_over is not None}
        dead = [one for one in required if self._is_dead(one)]
        for one in dead:
            await self._inner.end(session, one)
        swapped = await self._inner.swap(session, batch)
        for one in dead:
            self._witnesses.forget(one)
        return swapped

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """See `Store`. Yields also when a process of this host has died."""
        changes, loop = Changes(), asyncio.get_running_loop()
        hearing = Hearing(changes, own=session.id, has_ended=self._is_dead)
        told: set[SessionId] = set()
        ear, self._ear = self._ear, None
        with hearing.on(self._witnesses.directory, ear):
            following = asyncio.ensure_future(self._follow(session, changes))
            following.add_done_callback(lambda _: changes.put(Change()))  # it wakes us
            due = loop.time() + self._slow_look
            try:
                while True:
                    news = await changes.take(until=due)
                    if following.done():
                        following.result()  # raises what ended it
                        return
                    if loop.time() >= due:
                        due = loop.time() + self._slow_look
                        found = self._witnesses.all_dead(besides=self._locks.keys() | told)
                        news += [Change(session=one) for one in found]
                    told.update(change.session for change in news if change.session is not None)
                    for change in news:
                        yield change
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    def _close_ear(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.close()

    async def _follow(self, session: Session, changes: Changes) -> None:
        """Pass on what the engine's own watch yields, until it ends."""
        inner = self._inner.watch(session)
        try:
            async for change in inner:
                changes.put(change)
        finally:
            if isinstance(inner, AsyncGenerator):
                await inner.aclose()

    def _is_proved_dead(self, record: SessionRecord) -> bool:
        is_ours = record.identity.boot_id == self._witnesses.boot_id
        return is_ours and record.liveness is Liveness.ALIVE and self._is_dead(record.id)

    def _is_dead(self, name: str) -> bool:
        return name not in self._locks and self._witnesses.is_dead(name)
