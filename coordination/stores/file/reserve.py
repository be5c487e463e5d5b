"""Space kept for bad times: given up on a full disk, it pays for one takeover.

What anybody else writes meanwhile may take the space first: it is a chance, no promise.
"""

from __future__ import annotations

import os
from pathlib import Path

SIZE = 256 * 1024
_ROOM = 4 * SIZE
"""It is kept again only where it leaves others some room."""


class Reserve:
    """A file of zeros."""

    def __init__(self, path: Path, *, mode: int) -> None:
        self._path = path
        self._mode = mode

    @property
    def is_kept(self) -> bool:
        """Whether there is something to give up."""
        try:
            return os.lstat(self._path).st_size >= SIZE
        except OSError:
            return False

    def give_up(self) -> None:
        """Free the space; called inside a write, so that one process alone spends it."""
        os.truncate(self._path, 0)

    def keep(self) -> None:
        """Make it, if it is missing and there is room; where that fails there is none."""
        if self.is_kept:
            return
        try:
            room = os.statvfs(self._path.parent)
            if room.f_bavail * room.f_frsize < _ROOM:
                return
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, self._mode
            )
            try:
                os.write(descriptor, bytes(SIZE))  # real space, unlike a sparse file
            finally:
                os.close(descriptor)
        except OSError:
            return
