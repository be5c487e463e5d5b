"""What becomes of open stores in a forked child.

A child has a duplicate of the lock's descriptor: it is closed, or a dead parent would seem to live. SQLite
forbids both to use and to close a connection made by the parent, so those are kept for ever. They leave a
trap: SQLite's own tables, inherited, say that this process has the file open and read-locked, while the
kernel, which forgets POSIX locks at a fork, knows of none; a store that the child opens itself would build
on locks that do not exist. So the child takes the same read locks at once, on the inherited descriptors. No
fork happens inside a use of a connection: the fork waits for the lock of each.

Where a fork does not run Python's hooks (C libraries), the beat covers the parent's lock after the lease.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # nothing forks there

_DATABASE_READ = (0x40000002, 510)
"""SQLite's SHARED_FIRST and SHARED_SIZE."""
_SHM_IN_USE = (128, 1)
"""The byte of the -shm file that says that somebody uses it."""


class Forkable(Protocol):
    """An open store."""

    @property
    def database_files(self) -> tuple[Path, Path, Path]:
        """The database, its -wal and its -shm."""
        ...

    def locks(self) -> Iterable[threading.Lock]:
        """What is held during a use of a connection."""
        ...

    def abandon(self) -> Iterable[sqlite3.Connection | None]:
        """Become as if never opened, and give away the connections, unused and open."""
        ...


class Forks:
    """The open stores of this process, and what was taken for the fork that is under way."""

    def __init__(self) -> None:
        self._stores: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self._taken: list[threading.Lock] = []
        self._pid = os.getpid()

    def add(self, store: Forkable) -> None:
        """Look after a store from now on."""
        self._stores.add(store)

    def before(self) -> None:
        """Wait until no connection is in use."""
        self._taken = [lock for store in self._stores for lock in store.locks()]
        for lock in self._taken:
            lock.acquire()

    def after_in_parent(self) -> None:
        """Go on."""
        for lock in self._taken:
            lock.release()
        self._taken = []

    def check(self) -> None:
        """Notice a fork that ran no hooks."""
        if os.getpid() != self._pid:
            self.after_in_child()

    def after_in_child(self) -> None:
        """Let go of everything that was the parent's."""
        self._taken, self._pid = [], os.getpid()
        for store in list(self._stores):
            database, _, shm = store.database_files
            connections = [connection for connection in store.abandon() if connection is not None]
            for connection in connections:
                _keep_for_ever(connection)
            if connections:
                _lock_again(database, *_DATABASE_READ)
                _lock_again(shm, *_SHM_IN_USE)


def _keep_for_ever(connection: sqlite3.Connection) -> None:
    """Add a reference that not even the interpreter's end drops: a dropped connection would be closed."""
    import ctypes  # noqa: PLC0415  # in a forked child only

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _lock_again(path: Path, start: int, length: int) -> None:
    """Take a read lock on each inherited descriptor of a file, unless another process excludes it."""
    for name in os.listdir("/proc/self/fd") if sys.platform == "linux" else ():
        try:
            if os.readlink(f"/proc/self/fd/{name}") == os.fspath(path):
                fcntl.lockf(int(name), fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)
        except OSError:
            continue


forks = Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=forks.before, after_in_parent=forks.after_in_parent, after_in_child=forks.after_in_child
    )
