"""Files known by their inodes, so that one that was deleted, renamed, restored or replaced is noticed.

A link count is not enough: a file that was renamed away and made again keeps it at 1 (facts: coordination,
section 2.1).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Inode(NamedTuple):
    """A file, whatever it is called."""

    device: int
    number: int


def inode_of(info: os.stat_result) -> Inode:
    """The inode in a stat result."""
    return Inode(info.st_dev, info.st_ino)


def inode_at(path: str | os.PathLike[str]) -> Inode | None:
    """What a path leads to now; None if nowhere."""
    try:
        return inode_of(os.lstat(path))
    except OSError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Paths, and the inodes that they led to."""

    inodes: tuple[tuple[str, Inode | None], ...]

    @classmethod
    def of(cls, paths: Iterable[os.PathLike[str]]) -> Marks:
        """The marks of these paths as they are now."""
        return cls(inodes=tuple((os.fspath(path), inode_at(path)) for path in paths))

    def hold(self) -> bool:
        """Whether each path still leads to the same existing file. About a microsecond a path."""
        lstat = os.lstat
        try:
            for path, inode in self.inodes:
                info = lstat(path)
                if inode is None or info.st_ino != inode.number or info.st_dev != inode.device:
                    return False
        except OSError:
            return False
        return True
