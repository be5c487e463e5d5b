"""Which file system a path lies on, from /proc/self/mountinfo."""

from __future__ import annotations

import os
import re
from pathlib import Path

_UNFIT = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs"})
"""Where locks lie, or where SQLite's shared memory does (facts: coordination, section 2.6)."""


def is_unfit(file_system: str) -> bool:
    """Whether locks on this file system cannot be trusted."""
    return file_system in _UNFIT or file_system.startswith("fuse")


def file_system_of(path: Path, *, table: str | None = None) -> str:
    """The type of the file system that holds an existing path; empty where it cannot be known.

    By device number first; where no line has it (btrfs subvolumes, some overlays) by the longest mount point
    above the path, the last of equals, which covers the others.
    """
    if table is None:
        try:
            table = Path("/proc/self/mountinfo").read_text()
        except OSError:
            return ""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    real = os.path.realpath(path)
    best, found = -1, ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        file_system = after.split()[0]
        if fields[2] == number:
            return file_system
        point = _unescaped(fields[4])
        if real == point or real.startswith(point.rstrip("/") + "/"):
            best, found = max((best, found), (len(point), file_system), key=lambda pair: pair[0])
    return found


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)
