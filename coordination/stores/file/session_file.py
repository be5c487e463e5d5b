"""Our own session file: the lock that says that we live, and the beat that says that we are not frozen.

The file: 8 bytes counter, 8 bytes wall clock (double), 1 byte mark, 4 bytes length of the header, the
header, the report. A beat overwrites the first 16 bytes in place: no transaction, no fsync, no disk space.
The mark is set by others: whoever takes a claim of ours, or ends our session, sets it before the database
says so, and nobody takes it back. While it is not set, what the database has said of our claims still
holds. The header never changes; with it a database that was lost is made anew (`rebuild`). The report is
rewritten when it has changed.
"""

from __future__ import annotations

import errno
import math
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from onepoller.coordination.stores.file import flock
from onepoller.coordination.stores.file.marks import Inode, inode_at, inode_of

BEAT = struct.Struct("<Qd")
_MARK_AT = BEAT.size
_UNMARKED, _MARKED = b"\0", b"\1"
_LENGTH = struct.Struct("<I")
_LENGTH_AT = _MARK_AT + len(_UNMARKED)
_PREFIX = _LENGTH_AT + _LENGTH.size
WAKE = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""How another session's file is opened to be heard there: its owner watches for what was written."""


class SessionFile:
    """Made locked; the lock is free when it is closed, however that happens."""

    def __init__(self, path: Path, descriptor: int, *, header: bytes) -> None:
        self.path = path
        self._descriptor = descriptor
        self._inode = inode_of(os.fstat(descriptor))
        self._report_at = _PREFIX + len(header)
        self._report = b""
        self._count = 0

    @classmethod
    def create(cls, path: Path, *, mode: int, header: bytes) -> SessionFile:
        """A new file with an exclusive lock. Raises OSError; then there is no file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, mode)
        try:
            os.fchmod(descriptor, mode)  # whatever the umask
            start = BEAT.pack(0, time.time()) + _UNMARKED + _LENGTH.pack(len(header)) + header
            if not flock.take(descriptor):
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))  # noqa: TRY301
            if os.pwrite(descriptor, start, 0) != len(start):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301
            return cls(path, descriptor, header=header)
        except BaseException:
            os.unlink(path)
            os.close(descriptor)
            raise

    @property
    def inode(self) -> Inode:
        """Device and inode of the file that we have open."""
        return self._inode

    def beat(self, report: bytes) -> None:
        """Say that we live, and what our bots do; on a full disk only the first."""
        self._count += 1
        os.pwrite(self._descriptor, BEAT.pack(self._count, time.time()), 0)
        if report == self._report:
            return
        try:
            written = os.pwrite(self._descriptor, report, self._report_at)
            if len(report) < len(self._report):
                os.ftruncate(self._descriptor, self._report_at + len(report))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        else:
            self._report = report[:written]

    @property
    def is_marked(self) -> bool:
        """Whether anybody has taken something of ours. A microsecond."""
        return os.pread(self._descriptor, 1, _MARK_AT) != _UNMARKED

    def is_in_place(self) -> bool:
        """Whether the path still leads to the file that we have locked."""
        return inode_at(self.path) == self._inode

    def close(self) -> None:
        """Free the lock, which everybody who watches the directory hears. Also what a forked child does."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def unlink(self) -> None:
        """Remove the path, if it still leads to our file."""
        if self.is_in_place():
            self.path.unlink(missing_ok=True)


def mark(path: Path) -> None:
    """Set the mark of another session. Without effect where its file is gone, which it sees by itself."""
    try:
        descriptor = os.open(path, WAKE)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return
        raise
    try:
        os.pwrite(descriptor, _MARKED, _MARK_AT)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a session file says."""

    header: bytes = b""
    report: bytes = b""
    beaten_at: float = -math.inf
    """Wall clock of the last beat."""


def parse(content: bytes) -> Content:
    """The parts of a session file; empty ones where it is too short."""
    if len(content) < _PREFIX:
        return Content()
    _, beaten_at = BEAT.unpack_from(content)
    (length,) = _LENGTH.unpack_from(content, _LENGTH_AT)
    return Content(
        header=content[_PREFIX : _PREFIX + length],
        report=content[_PREFIX + length :],
        beaten_at=beaten_at,
    )
