"""Waiting for changes: one inotify watch on the session files, and a slow look behind it.

A process that ends closes its session file, and so does whoever wakes another: the name says whom it is
about. Our own: we are called; another's: it may be dead. The close event comes before the kernel drops the
lock, so one that is not free yet is looked at again within a few milliseconds. Without inotify (another
platform, no instance left) only the slow look remains.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.file import writing
from onepoller.coordination.stores.file.connection import Replaced
from onepoller.coordination.stores.file.observer import Observer
from onepoller.coordination.stores.file.rows import SessionRow
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.seam import Change, Liveness

if TYPE_CHECKING:
    from inotify_simple import INotify

_LOOK_AGAIN = (0.0005, 0.001, 0.0015, 0.002)
_EVENTS = 16 * 1024
"""Bytes of events taken at once; where more wait, the loop calls again."""
_OVERFLOW = 0x4000
"""IN_Q_OVERFLOW: the kernel dropped events, so it could be anything."""


def has_inotify() -> bool:
    """Whether a watch can be event-driven here."""
    return sys.platform == "linux" and importlib.util.find_spec("inotify_simple") is not None


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
        with self._listening(sessions):
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

    @contextmanager
    def _listening(self, sessions: Path) -> Iterator[None]:
        inotify = _inotify_on(sessions)
        self.is_event_driven = inotify is not None
        if inotify is None:
            yield
            return
        pid = os.getpid()
        try:
            self._loop.add_reader(inotify.fileno(), self._hear, inotify)
            yield
        finally:
            if os.getpid() == pid:  # a forked child shares the loop's epoll, and would make its parent deaf
                self._loop.remove_reader(inotify.fileno())
            inotify.close()

    def _hear(self, inotify: INotify) -> None:
        import inotify_simple  # noqa: PLC0415  # Linux only

        # Not `inotify.read`, which first asks the kernel how much there is.
        for event in inotify_simple.parse_events(os.read(inotify.fileno(), _EVENTS)):  # type: ignore[no-untyped-call]  # no types
            if event.mask & _OVERFLOW or event.name == self._session.id:
                self._changes.put(Change())
            else:
                self._check(event.name, _LOOK_AGAIN)

    def _check(self, name: str, again: tuple[float, ...]) -> None:
        if self._observer.has_ended(name):
            self._changes.put(Change(session=SessionId(name)))
        elif again:
            self._loop.call_later(again[0], self._check, name, again[1:])

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


def _inotify_on(sessions: Path) -> INotify | None:
    """A watch on the directory, or None where there is none to be had."""
    if not has_inotify():
        return None
    import inotify_simple  # noqa: PLC0415  # Linux only

    try:
        inotify = inotify_simple.INotify(nonblocking=True)  # type: ignore[no-untyped-call]  # no types
    except OSError:  # no instance left for this user, or a kernel without it
        return None
    try:
        inotify.add_watch(sessions, inotify_simple.flags.CLOSE_WRITE)  # type: ignore[no-untyped-call]  # no types
    except OSError:  # no watch left, or no directory
        inotify.close()
        return None
    return inotify
