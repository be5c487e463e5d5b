"""Our session in the file store, with the look before delivery: a read-only connection of its own.

The look compares the inodes of the session file, the database and its -wal with their paths, and reads one
row; or, where it has read that row since we last wrote to it, the mark by which others tell that they have
(`session_file`). It waits for no writer, may be done from any thread, and says False where it cannot know.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.file.connection import Replaced, connect
from onepoller.coordination.stores.file.marks import Marks
from onepoller.coordination.stores.file.session_file import SessionFile
from onepoller.coordination.stores.lease import Lease

T = TypeVar("T")

_HAS_CLAIM = (
    "SELECT 1 FROM claims JOIN sessions ON sessions.id = claims.holder"
    " WHERE bot_id = ? AND term = ? AND holder = ? AND NOT is_over"
)


class FileSession:
    """Alive from its making until it is closed, by us or because it is over."""

    def __init__(self, session_id: SessionId, file: SessionFile, *, lease: Lease, beaten_at: float) -> None:
        self.lock = threading.Lock()
        """Held during each look, so that no fork happens in the middle of one."""
        self.file = file
        self.generation = 0
        """Which opening of the database our own connection belongs to."""
        self._id = session_id
        self._lease = lease
        self.deadline = lease.deadline(beaten_at)
        """Boot clock: after it nothing is sent or delivered before a beat that confirms."""
        self._reader: sqlite3.Connection | None = None
        self._marks = Marks(inodes=())
        self._pid = os.getpid()
        self._seen: dict[BotId, Term] = {}
        """Claims that the database has said are ours, and which we have not written to since."""
        self._writes = 0
        """Writes of ours that are under way."""

    def __repr__(self) -> str:
        state = "over" if self.is_over else "alive"
        return f"<FileSession {self._id} {state}>"

    @property
    def id(self) -> SessionId:
        """The fresh random id, also the name of its file."""
        return self._id

    @property
    def fence_wait(self) -> float:
        """None: `has_claim` looks into the database."""
        return 0.0

    @property
    def is_over(self) -> bool:
        """Whether this process has given it up; also in a child, forked with or without Python's hooks."""
        return self._reader is None or os.getpid() != self._pid

    def has_claim(self, bot_id: BotId, term: Term) -> bool:
        """The look before delivery. Never raises."""
        try:
            with self.lock:
                reader = self._checked_reader()
                is_unmarked = not self.file.is_marked  # first: what is said after it is at least as new
                if is_unmarked and self._seen.get(bot_id) == term:
                    return True
                is_quiet = not self._writes  # before the row is read: a write of ours may end meanwhile
                is_ours = reader.execute(_HAS_CLAIM, (bot_id, term, self._id)).fetchone() is not None
                if is_ours and is_quiet:
                    self._seen[bot_id] = term
                return is_ours
        except (SessionOver, Replaced, OSError, sqlite3.Error):
            return False

    def look(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Ask our connection, if the files are those we know. Raises SessionOver, Replaced, sqlite3.Error."""
        with self.lock:
            return query(self._checked_reader())

    def _checked_reader(self) -> sqlite3.Connection:
        if self._reader is None or os.getpid() != self._pid:
            raise SessionOver(f"Session {self._id} is over; open a new one.")
        if not self._marks.hold():
            raise Replaced(f"The files of session {self._id} were removed or replaced.")
        return self._reader

    @contextmanager
    def writing_to(self, bots: Iterable[BotId] | None = None) -> Iterator[None]:
        """While these claims, or all, may change by our own hand, and after it, only the database knows."""
        with self.lock:
            self._writes += 1
            for bot_id in tuple(self._seen) if bots is None else bots:
                self._seen.pop(bot_id, None)
        try:
            yield
        finally:
            self._writes -= 1

    def beaten(self, at: float) -> None:
        """Note when the last good beat was sent."""
        self.deadline = self._lease.deadline(at)

    def attach(self, database: Path, *, marks: Marks, generation: int) -> None:
        """Look into this database from now on."""
        reader = connect(database, mode="ro")
        with self.lock:
            stale, self._reader = self._reader, reader
            own = (os.fspath(self.file.path), self.file.inode)
            self._marks = Marks(
                inodes=(own, *marks.inodes[:2])
            )  # the -shm is compared at each beat and write
            self._seen.clear()
            self.generation = generation
        if stale is not None:
            stale.close()

    def close(self) -> None:
        """Free the lock, which everybody hears, and look no more."""
        with self.lock:
            self.file.close()
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: let go of the lock, and give away the parent's connection, unused and open."""
        self.file.close()
        self.lock = threading.Lock()
        reader, self._reader = self._reader, None
        return reader
