"""Who holds a lock on a file, as /proc/locks tells it: to name a process that sits in a write.

Only for people to read. A process in another PID namespace is not listed, so nothing rests on the answer.
"""

from __future__ import annotations

from pathlib import Path

WAL_WRITER = 120
"""The byte of the -shm file that SQLite locks while it writes (its WAL_WRITE_LOCK)."""


def pid_of_writer(inode: int, *, start: int = 0, table: str | None = None) -> int | None:
    """The pid that holds the exclusive lock beginning at this byte of a file; None if none is seen.

    A line: `1: POSIX  ADVISORY  WRITE 811 fe:00:4711 120 120`. The device is not compared: file systems with
    subvolumes show another one here than stat does.
    """
    if table is None:
        try:
            table = Path("/proc/locks").read_text()
        except OSError:
            return None
    for line in table.splitlines():
        fields = line.split()
        if "->" in fields:  # a waiter, not a holder
            continue
        kind, pid, file, first = fields[3], int(fields[4]), fields[5], fields[6]
        if kind == "WRITE" and pid > 0 and file.rpartition(":")[2] == str(inode) and first == str(start):
            return pid
    return None


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal or a debugger."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return line.rpartition(")")[2].split()[0] in ("T", "t")
