"""The write-ahead log, kept short between changes.

SQLite would carry a long log over into the database, with two waits for the disk, inside the commit that made
it long: that may be the takeover of a thousand bots. Here it is done when nothing hurries.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

LIMIT = 4 * 1024 * 1024
"""Bytes. A longer log is carried over, and cut when it begins again at its start."""


def keep_short(connection: sqlite3.Connection, wal: Path) -> None:
    """Carry a long log over, as far as nobody reads it. Waits for nobody but the disk."""
    with suppress(OSError, sqlite3.DatabaseError):
        if os.lstat(wal).st_size > LIMIT:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
