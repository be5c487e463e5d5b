"""Waiting for changes: what is heard of the session files (`hearing`), and a slow look behind it.

Without inotify (another platform, no instance left) only the slow look remains.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.file import writing
from onepoller.coordination.stores.file.connection import Replaced
from onepoller.coordination.stores.file.hearing import Hearing
from onepoller.coordination.stores.file.observer import Observer
from onepoller.coordination.stores.file.rows import SessionRow
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.seam import Change, Liveness


class Watch:
    """One session's watch. Knows what it has seen: the database's version, the dead it has reported."""

    def __init__(
        self,
        session: FileSession,
        observer: Observer,
        *,
        version: Callable[[], tuple[int, int]],
        slow_look: float,
    ) -> None:
        self.is_event_driven = False
        self._session = session
        self._observer = observer
        self._slow_look = slow_look
        self._changes = Changes()
        self._loop = asyncio.get_running_loop()
        self._version_now = version
        self._version: tuple[int, int] | None = None
        self._reported: set[SessionId] = set()

    async def run(self, sessions: Path) -> AsyncIterator[Change]:
        """Yield at once, so that what happened since the last read is not missed, and then on each change."""
        hearing = Hearing(self._changes, own=self._session.id, has_ended=self._observer.has_ended)
        with hearing.on(sessions) as self.is_event_driven:
            self._look()
            yield Change()
            due = self._next_look()
            while not self._session.is_over:
                for change in await self._changes.take(until=due):
                    yield change
                if self._loop.time() >= due:
                    due = self._next_look()
                    for change in self._look():
                        yield change

    def _next_look(self) -> float:
        return self._loop.time() + self._slow_look * random.uniform(0.8, 1.2)

    def _look(self) -> list[Change]:
        """What the slow look finds: commits, and the dead, again and again while they hold a claim."""
        try:
            version = self._version_now()
            rows = self._session.look(_sessions)
            others = [row for row in rows if row.id != self._session.id]
            dead = {row.id for row in others if self._observer.look(row) is Liveness.SILENT}
            holders = self._session.look(_holders) if dead else set()
        except (
            SessionOver,
            Replaced,
            sqlite3.Error,
        ):  # replaced, or not readable: whoever reads or beats finds out which
            return [Change()]
        self._observer.forget_all_but({row.id for row in rows})
        news = [Change()] if version != self._version else []
        news += [Change(session=session_id) for session_id in dead - (self._reported - holders)]
        self._version, self._reported = version, dead
        return news


def _sessions(reader: sqlite3.Connection) -> list[SessionRow]:
    return [row for row in writing.sessions(reader) if not row.is_over]


def _holders(reader: sqlite3.Connection) -> set[SessionId]:
    pairs = reader.execute("SELECT DISTINCT holder, heir FROM claims")
    return {name for pair in pairs for name in pair if name is not None}
