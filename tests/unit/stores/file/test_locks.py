"""Who sits in a write, by /proc/locks."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from onepoller.coordination.stores.file.locks import is_stopped, pid_of_writer

TABLE = """\
1: POSIX  ADVISORY  READ  700 fe:00:4711 120 120
2: POSIX  ADVISORY  WRITE 811 fe:00:4711 120 120
2: -> POSIX  ADVISORY  WRITE 812 fe:00:4711 120 120
3: FLOCK  ADVISORY  WRITE 813 fe:00:4712 0 EOF
4: OFDLCK ADVISORY  WRITE -1 fe:00:4713 0 0
"""


@pytest.mark.parametrize(
    ("inode", "start", "pid"),
    [(4711, 120, 811), (4711, 128, None), (4712, 0, 813), (4713, 0, None), (47, 120, None)],
)
def test_the_holder_of_an_exclusive_lock_is_found(inode: int, start: int, pid: int | None) -> None:
    """By inode and first byte; not a reader, not a waiter, not an owner without a pid."""
    assert pid_of_writer(inode, start=start, table=TABLE) == pid


def test_the_kernels_table_is_read(tmp_path: Path) -> None:
    """A lock of our own is found under our own pid."""
    with (tmp_path / "file").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert pid_of_writer(os.fstat(file.fileno()).st_ino) == os.getpid()


def test_a_running_process_is_not_stopped() -> None:
    """Nor is one that does not exist."""
    assert (is_stopped(os.getpid()), is_stopped(2**22 + 1)) == (False, False)
