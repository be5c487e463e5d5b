"""What can be seen of other sessions from outside, by one observer.

A session is *provably* over when its row says so; or when a shared lock could be had on the inode that its
row records; or when its beat has not changed for one lease of this observer's own monotonic clock, which
stands still while the machine sleeps. A missing or replaced file proves nothing: the beat then counts as
unchanged. A file that we cannot open for another reason (rights, descriptors) counts as beaten: our trouble
is no proof.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.file import flock
from onepoller.coordination.stores.file.rows import SessionRow
from onepoller.coordination.stores.file.session_file import BEAT, Content, parse
from onepoller.coordination.stores.seam import Liveness

_GONE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ESTALE})
# Read-only, so that no probe wakes those who watch for files that were closed after writing.
PROBE = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The last beat seen of a session, and since when it has been the same."""

    beat: bytes | None
    since: float


class Observer:
    """Keeps the last sight of each session."""

    def __init__(self, sessions: Path, *, monotonic: Callable[[], float]) -> None:
        self._sessions = os.fspath(sessions)
        self._monotonic = monotonic
        self._sightings: dict[SessionId, Sighting] = {}
        self.dead: set[SessionId] = set()
        """Those whose lock was free: nobody has it any more, and nobody can have it again."""

    def look(self, row: SessionRow) -> Liveness:
        """How the session is now. In the transaction that ends it, SILENT is the proof."""
        if row.is_over:
            return Liveness.OVER
        now = self._monotonic()
        seen = self._sightings.get(row.id)
        try:
            with self._file_of(row) as descriptor:
                if descriptor is None:
                    beat = seen.beat if seen else None
                elif flock.is_free(descriptor):
                    self.dead.add(row.id)
                    return Liveness.SILENT
                else:
                    beat = os.pread(descriptor, BEAT.size, 0)
        except OSError:
            seen, beat = None, None
        if seen is None or beat != seen.beat:
            self._sightings[row.id] = Sighting(beat=beat, since=now)
            return Liveness.ALIVE
        return Liveness.SILENT if now - seen.since >= row.lease else Liveness.ALIVE

    def is_dead(self, row: SessionRow) -> bool:
        """Whether its lock is free; silence is not enough."""
        with suppress(OSError), self._file_of(row) as descriptor:
            return descriptor is not None and flock.is_free(descriptor)
        return False

    def content(self, row: SessionRow) -> Content:
        """What the session's file says; nothing where it is not there."""
        with suppress(OSError), self._file_of(row) as descriptor:
            if descriptor is not None:
                return parse(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        return Content()

    def has_ended(self, name: str) -> bool:
        """A hint by file name alone: the lock is free, or there is no such file."""
        try:
            descriptor = os.open(self._path(name), PROBE)
        except OSError:
            return True
        try:
            return flock.is_free(descriptor)
        finally:
            os.close(descriptor)

    def forget_all_but(self, known: Collection[SessionId]) -> None:
        """Drop what was seen of sessions that nobody names any more."""
        self.dead.intersection_update(known)
        for session_id in self._sightings.keys() - set(known):
            del self._sightings[session_id]

    @contextmanager
    def _file_of(self, row: SessionRow) -> Iterator[int | None]:
        """The session's file, open; None if missing or replaced. Raises OSError where we cannot know."""
        try:
            descriptor = os.open(self._path(row.id), PROBE)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            yield None
            return
        try:
            yield descriptor if os.fstat(descriptor).st_ino == row.inode else None
        finally:
            os.close(descriptor)

    def _path(self, name: str) -> str:
        return f"{self._sessions}/{name}"
