"""What one session hears: a watch of the Leases of processes. Not of bots: it would bring all to everybody.

Each batch that was written is announced in the Lease of its writer, with the sessions that are to look at
once; the others look at the next slow look. Our own beats come back over the watch: where for half a lease
nothing comes, the connection is broken, and the list is read again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.kubernetes.body import Body, label_of, version_of
from onepoller.coordination.stores.kubernetes.client import Client
from onepoller.coordination.stores.kubernetes.failure import Expired
from onepoller.coordination.stores.kubernetes.fresh import Fresh
from onepoller.coordination.stores.kubernetes.names import KIND, SESSION, SESSIONS, Names
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.own import Own
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease
from onepoller.coordination.stores.seam import Change, Liveness

PAUSES = (0.05, 1.0)
"""A watch that ends at once is begun again after this many seconds, doubling up to the second number."""
SOUND_AFTER = 1.0
"""A watch that has lasted so long is no reason to wait."""


class Watching:
    """The watch of one session. Its `changes` are taken by `Store.watch`."""

    def __init__(
        self, client: Client, names: Names, observer: Observer, own: Own, fresh: Fresh, *, lease: float
    ) -> None:
        self._client = client
        self._names = names
        self._observer = observer
        self._own = own
        self._fresh = fresh
        self._quiet = lease / 2
        self._changes = Changes()
        self._writes: dict[SessionId, int] = {}
        self._told_silent: dict[SessionId, float] = {}
        """Sessions that were named as silent, and when, on the observer's clock."""
        self._has_news = False
        self._is_unbroken = False
        self._has_listed = False
        """Before that, what was seen of others may be long ago."""

    async def hear(self, *, slow_look: float) -> AsyncIterator[Change]:
        """Yield until the session is over. Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        listening = asyncio.create_task(self._listen())
        listening.add_done_callback(self._stopped)
        try:
            yield Change()
            look_at = loop.time() + slow_look
            while not self._own.is_over:
                until = min(look_at, self._next_silence())
                for change in await self._changes.take(until=until):
                    yield change
                if listening.done():
                    listening.result()
                for change in self._silent():
                    yield change
                if loop.time() >= look_at:
                    look_at = loop.time() + slow_look
                    if self._has_news:
                        self._has_news = False
                        yield Change()
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    @property
    def is_current(self) -> bool:
        """Whether all has come that was announced before our own last beat."""
        return self._is_unbroken and self._own.is_heard

    def stop(self) -> None:
        """The session has ended: wake up and see it."""
        self._changes.put(Change())

    def _stopped(self, listening: asyncio.Task[None]) -> None:
        if not listening.cancelled() and listening.exception() is not None:
            self._changes.put(Change())

    # Who is silent

    def _next_silence(self) -> float:
        """When the next of the others becomes silent, on the loop's clock."""
        due = min(self._untold().values(), default=math.inf)
        return asyncio.get_running_loop().time() + max(0.0, due - self._observer.now())

    def _silent(self) -> list[Change]:
        """Name each session once, when a lease has passed since its last beat."""
        silent = {session: at for session, at in self._untold().items() if self._observer.now() >= at}
        self._told_silent |= silent
        return [Change(session=session) for session in silent]

    def _untold(self) -> dict[SessionId, float]:
        """When the others become silent, of those that were not named since their last beat."""
        if not self._has_listed:
            return {}
        return {
            session: at
            for session, at in self._observer.silent_at().items()
            if session != self._own.id and self._told_silent.get(session, -math.inf) < at
        }

    # What the server says

    async def _listen(self) -> None:
        pause, version = PAUSES[0], ""
        loop = asyncio.get_running_loop()
        while not self._own.is_over:
            if not version:
                version = await self._read_all()
            began = loop.time()
            try:
                async for kind, lease in self._client.watch(
                    self._names.processes, version, quiet=self._quiet
                ):
                    version = version_of(lease)
                    if kind != "BOOKMARK":
                        self._take(kind, lease)
            except (Expired, StoreUnavailable):
                version = ""  # what happened meanwhile is not known: read it all
                self._is_unbroken = False
            if loop.time() - began >= SOUND_AFTER:
                pause = PAUSES[0]
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSES[1])

    async def _read_all(self) -> str:
        """Everything as it is; what was missed could be anything."""
        leases, version = await self._client.list_all(self._names.processes)
        present = set()
        for lease in leases:
            if label_of(lease, KIND) == SESSIONS:
                present.add(SessionId(label_of(lease, SESSION)))
                self._take("MODIFIED", lease)
        if self._own.id not in present:
            self._ended(self._own.id)
        for session_id in self._observer.drop_all_but(present):
            self._changes.put(Change(session=session_id))
        self._fresh.doubt(None)
        self._has_listed = self._is_unbroken = True
        self._changes.put(Change())
        return version

    def _take(self, kind: str, lease: Body) -> None:
        session_id = SessionId(label_of(lease, SESSION))
        if label_of(lease, KIND) != SESSIONS:
            self._has_news = self._has_news or session_id != self._own.id
            return
        seen = SessionLease.of(lease)
        if kind == "DELETED":
            self._observer.over(session_id)
        elif seen is not None:
            self._observer.see(seen)
        if self._observer.liveness(session_id) is Liveness.OVER:
            self._ended(session_id)
        elif seen is not None and session_id == self._own.id:
            self._own.echoed = seen.beats
        elif seen is not None:
            self._hear(seen)

    def _hear(self, seen: SessionLease) -> None:
        """What another session tells."""
        before = self._writes.get(seen.id, 0)
        if seen.writes != before:
            self._fresh.doubt(seen.news.changed if seen.writes == before + 1 else None)
            self._has_news = True
        if self._own.id in seen.news.wake:
            self._changes.put(Change())
        self._writes[seen.id] = seen.writes

    def _ended(self, session_id: SessionId) -> None:
        self._fresh.doubt(None)  # it may have written what it could not tell any more
        self._writes.pop(session_id, None)
        self._told_silent.pop(session_id, None)
        if session_id == self._own.id:
            self._own.end()
        self._changes.put(Change(session=session_id))
