"""One process's connection to the database; its transactions wait their turn without blocking the loop.

A transaction is one plain function between BEGIN and COMMIT: neither the loop nor a fork comes between. A
database that was replaced is opened again, one that is damaged is set aside and made anew (`set_up`);
whether a session goes on in the new one is the session's question.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from onepoller.coordination.errors import StoreBusy, StoreFull, StoreUnavailable
from onepoller.coordination.stores.file import locks, log
from onepoller.coordination.stores.file.connection import Damaged, Occupied, Replaced, translated
from onepoller.coordination.stores.file.marks import Inode, Marks, inode_at
from onepoller.coordination.stores.file.places import Places
from onepoller.coordination.stores.file.reserve import Reserve
from onepoller.coordination.stores.file.set_up import open_database
from onepoller.coordination.stores.file.system_errors import system_errors

T = TypeVar("T")
Body = Callable[[sqlite3.Connection], T]

_SHORT_WRITES = 0.025
"""A write takes a millisecond or two: for so long a busy database is tried again at once, in seconds."""
_ATTEMPTS = 3
"""How often one call goes on after the database was replaced under it."""


class Database:
    """Opened by the first call that needs it."""

    def __init__(self, places: Places, *, busy_limit: float) -> None:
        self.lock = threading.Lock()
        """Held during each use, so that no fork happens in the middle of one."""
        self.generation = 0
        """Counts how often the database was opened: a session's own connection belongs to one of them."""
        self.reserve = Reserve(places.reserve, mode=places.file_mode)
        self._places = places
        self._busy_limit = busy_limit
        self._connection: sqlite3.Connection | None = None
        self._marks = Marks(inodes=())
        self._note = ""
        self._trouble: StoreUnavailable | None = None

    @property
    def marks(self) -> Marks:
        """By what the open database's files are known."""
        return self._marks

    async def ready(self) -> None:
        """Open the database, or open it again where it was replaced."""
        if self._connection is None or not self._marks.hold():
            await self._retried(self._open, limit=self._busy_limit)

    async def write(self, body: Body[T], *, limit: float | None = None, may_spend_reserve: bool = False) -> T:
        """Run `body` in a write transaction. Raises StoreBusy after `limit`, StoreFull, or what it raises."""
        try:
            return await self._transact("IMMEDIATE", body, limit=limit)
        except StoreFull:
            if not (may_spend_reserve and self.reserve.is_kept):
                raise

        def spend(connection: sqlite3.Connection) -> T:
            self.reserve.give_up()
            return body(connection)

        return await self._transact("IMMEDIATE", spend, limit=limit)

    async def read(self, body: Body[T]) -> T:
        """Run `body` on one unchanging view of the database."""
        return await self._transact("DEFERRED", body, limit=None)

    def trouble(self) -> str:
        """One sentence where changes wait, or where the database was set aside since the last call."""
        if isinstance(self._trouble, StoreBusy) and self._trouble.pid not in (None, self._writer()):
            self._trouble = None
        note, self._note = self._note, ""
        return str(self._trouble or note)

    def stopped_writer(self) -> str:
        """One sentence where a stopped process is inside a write just now: for those who only read."""
        pid = self._writer()
        return str(_busy(pid)) if pid is not None and locks.is_stopped(pid) else ""

    def version(self) -> tuple[int, int]:
        """What changes when another process has committed, and only then: not by our own writes.

        `PRAGMA data_version` of the connection that writes; it belongs to one opening of the database.
        """
        with self.lock:
            if self._connection is None:
                return self.generation, 0
            return self.generation, self._connection.execute("PRAGMA data_version").fetchone()[0]

    def keep_log_short(self) -> None:
        """See `log`; for a moment when nothing hurries."""
        with self.lock:
            if self._connection is not None:
                log.keep_short(self._connection, self._places.database_files[1])

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        with self.lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: give away the parent's connection, unused and open."""
        connection, self._connection = self._connection, None
        self.lock = threading.Lock()
        return connection

    async def _transact(self, kind: str, body: Body[T], *, limit: float | None) -> T:
        limit = self._busy_limit if limit is None else min(limit, self._busy_limit)
        for attempt in range(_ATTEMPTS):
            if attempt or self._connection is None:  # the attempt looks itself whether it was replaced
                await self.ready()
            try:
                return await self._retried(lambda: self._attempt(kind, body), limit=limit)
            except Replaced:
                if attempt == _ATTEMPTS - 1:
                    raise
            except Damaged:
                if attempt == _ATTEMPTS - 1:
                    raise
                await self._retried(lambda: self._open(is_damaged=True), limit=limit)
        raise AssertionError("unreachable")

    def _attempt(self, kind: str, body: Body[T]) -> T:
        with self.lock, translated(self._places.database_files[2], writer=locks.WAL_WRITER):
            connection = self._connection
            if connection is None:
                raise Replaced("closed")
            connection.execute(f"BEGIN {kind}")
            try:
                if not self._marks.hold():
                    raise Replaced("replaced")  # noqa: TRY301  # rolled back like any other failure
                before = connection.total_changes
                result = body(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if connection.total_changes != before or (
                kind == "IMMEDIATE" and isinstance(self._trouble, StoreBusy)
            ):
                self._trouble = None
            return result

    async def _retried(self, attempt: Callable[[], T], *, limit: float) -> T:
        began = time.monotonic()
        end = began + limit
        while True:
            try:
                return attempt()
            except StoreFull as full:
                self._trouble = full
                raise
            except Occupied as occupied:
                if time.monotonic() >= end:
                    inode = inode_at(occupied.path)
                    pid = inode and locks.pid_of_writer(inode.number, start=occupied.start)
                    self._trouble = busy = _busy(pid)
                    raise busy from occupied
            is_early = time.monotonic() - began < _SHORT_WRITES
            await asyncio.sleep(random.uniform(0.0003, 0.001) if is_early else random.uniform(0.001, 0.025))

    def _open(self, *, is_damaged: bool = False) -> None:
        with self.lock:
            if self._connection is not None and self._marks.hold() and not is_damaged:
                return
            with system_errors(self._places.directory):
                opened = open_database(self._places, suspect=self._suspect(is_damaged=is_damaged))
            stale, self._connection = self._connection, opened.connection
            self._marks = opened.marks
            self._note = opened.note or self._note
            self.generation += 1
            if stale is not None:
                stale.close()  # SQLite writes nothing back to a file that was moved

    def _suspect(self, *, is_damaged: bool) -> Inode | None:
        """The database in place, if it is ours and damaged, or has lost one of the files beside it."""
        if self._connection is None:
            return None
        path, ours = self._marks.inodes[0]
        in_place = inode_at(path)
        is_broken = is_damaged or (in_place == ours and not self._marks.hold())
        return ours if is_broken else None

    def _writer(self) -> int | None:
        inode = inode_at(self._places.database_files[2])
        return None if inode is None else locks.pid_of_writer(inode.number, start=locks.WAL_WRITER)


def _busy(pid: int | None) -> StoreBusy:
    who = "Another process" if pid is None else f"Process {pid}"
    return StoreBusy(
        f"{who} stays inside a write to the store: changes wait for it, polling goes on.", pid=pid
    )
