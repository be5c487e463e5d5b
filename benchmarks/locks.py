"""The locks that onepoller is measured against, each used as its documentation shows, with its defaults.

`flock` is the limit: a thread that is blocked in the kernel until the lock is free. The others ask again and
again. Each function waits in the calling thread and returns what must be kept alive.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import fasteners  # type: ignore[import-untyped]  # it ships no types
import filelock
import portalocker

FOREVER = 3600.0


def _flock(path: Path) -> object:
    file = path.open("a")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _filelock(path: Path) -> object:
    lock = filelock.FileLock(path)
    lock.acquire()
    return lock


def _portalocker(path: Path) -> object:
    # Its default gives up after 5 s; how often it asks (every 0.25 s) is left as it is.
    lock = portalocker.Lock(path, timeout=FOREVER)
    lock.acquire()
    return lock


def _fasteners(path: Path) -> object:
    lock = fasteners.InterProcessLock(path)
    lock.acquire()
    return lock


LOCKS: dict[str, Callable[[Path], object]] = {
    "flock": _flock,
    "filelock": _filelock,
    "portalocker": _portalocker,
    "fasteners": _fasteners,
}
