"""SQLite as the file store uses it, and its errors in our words.

Nothing waits inside SQLite: a busy database raises `Occupied`, and whoever may wait does so in its event
loop. The database files are opened and closed by SQLite alone: a descriptor of ours, closed, would drop
SQLite's POSIX locks on that file in the whole process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from onepoller.coordination.errors import StoreFull, StoreUnavailable
from onepoller.coordination.stores.file import log

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FULL_EXTENDED = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE})


class Occupied(StoreUnavailable):
    """Somebody is in the way just now: the file, and the byte of it, that is locked."""

    def __init__(self, path: Path, *, start: int = 0) -> None:
        super().__init__(f"{path} is locked", start)
        self.path = path
        self.start = start


class Replaced(StoreUnavailable):
    """The database is not the one that we opened any more: it was deleted, renamed, restored or made anew."""


class Damaged(StoreUnavailable):
    """The database cannot be read any more."""


def connect(database: Path, *, mode: str) -> sqlite3.Connection:
    """A connection that makes no file. `mode`: `rw` or `ro`. May be handed from thread to thread."""
    connection = sqlite3.connect(
        f"file:{quote(str(database))}?mode={mode}",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # A commit outlives the death of every process at once, and waits for no disk. What the machine's own
        # death takes from the end of the log is made good by `schema.note_boot`.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # never inside a commit: see `log`
        connection.execute(f"PRAGMA journal_size_limit = {log.LIMIT}")
        connection.execute("PRAGMA temp_store = MEMORY")  # a full disk must not stop a sort
    except BaseException:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is to blame."""
    return _primary(error) in _DAMAGED


@contextmanager
def translated(shm: Path, *, writer: int) -> Iterator[None]:
    """Turn SQLite's errors into ours. `shm`, `writer`: where the lock of who is in the way lies."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code, primary = _code(error), _primary(error)
        if primary in _BUSY:
            raise Occupied(shm, start=writer) from error
        if is_damage(error):
            raise Damaged(str(error)) from error
        if primary == sqlite3.SQLITE_FULL or code in _FULL_EXTENDED:
            raise StoreFull(f"No space left for {shm.parent}: holders go on, changes wait.") from error
        if primary == sqlite3.SQLITE_READONLY and code != sqlite3.SQLITE_READONLY_DBMOVED:
            raise StoreUnavailable(
                f"{shm.parent} has become read-only for this process: make it writable."
            ) from error
        if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise Replaced(str(error)) from error
        raise StoreUnavailable(f"{shm.parent} does not answer: {error}.") from error


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's extended code; an error of the sqlite3 module's own has none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _primary(error: sqlite3.DatabaseError) -> int:
    return _code(error) & 0xFF
