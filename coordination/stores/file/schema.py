"""The database's tables, how a new one is begun, and how one is recognised.

A database records its own inode: a copy that was put back (a backup, a moved directory) would make terms go
back and sessions rise again, so it is as good as damaged. Terms begin at the creation time in seconds times
2^20, with its fraction, so that they do not go back when a database is made anew. The first session after
each boot raises that beginning to the present: whatever of the last grants a power cut took back, the next
grant of each claim is higher.
"""

from __future__ import annotations

import sqlite3
import time
from enum import Enum

from onepoller.coordination import identity
from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.identity import Term
from onepoller.coordination.stores.file.rows import CLAIM, SESSION, WISH

_APPLICATION = 0x6F6E6570  # "onep"
_VERSION = 1
_TABLES = """
CREATE TABLE meta (inode INTEGER NOT NULL, first_term INTEGER NOT NULL, boot TEXT NOT NULL);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, inode INTEGER NOT NULL, lease REAL NOT NULL, identity TEXT NOT NULL,
    is_over INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE claims (
    bot_id INTEGER PRIMARY KEY, version INTEGER NOT NULL, holder TEXT, term INTEGER NOT NULL,
    since REAL NOT NULL, heir TEXT, clean INTEGER NOT NULL, acknowledged TEXT, episode TEXT,
    tenure REAL, tenure_at REAL
);
CREATE TABLE wishes (
    since INTEGER PRIMARY KEY AUTOINCREMENT, bot_id INTEGER NOT NULL, session TEXT NOT NULL,
    priority INTEGER NOT NULL, mode TEXT NOT NULL, aim INTEGER, UNIQUE (bot_id, session)
);
"""


class Condition(Enum):
    """What a database file turned out to be."""

    FIT = "fit"
    EMPTY = "empty"
    DAMAGED = "damaged"
    COPIED = "copied"
    """Sound, but in another file than the one it was made in."""
    LOST = "lost"
    """Gone, while what SQLite keeps beside it is still there."""


def condition_of(connection: sqlite3.Connection, *, inode: int) -> Condition:
    """Recognise an open database. Raises StoreUnfit for one of another version of ours, which is in use."""
    version = _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and tables == 0:
        return Condition.EMPTY
    if _pragma(connection, "application_id") != _APPLICATION:
        return Condition.DAMAGED
    if version != _VERSION:
        raise StoreUnfit(
            f"The claims were written by another version of onepoller (schema {version}, ours is {_VERSION}):"
            " run one version, or give each its own directory."
        )
    try:
        own = connection.execute("SELECT inode, boot FROM meta").fetchone()
        for columns, table in ((CLAIM, "claims"), (WISH, "wishes"), (SESSION, "sessions")):
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 1").fetchone()  # noqa: S608  # our own names
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # no such table or column
            return Condition.DAMAGED
        raise
    if own is None:
        return Condition.DAMAGED
    return Condition.FIT if own[0] == inode else Condition.COPIED


def create(connection: sqlite3.Connection, *, inode: int) -> None:
    """Make the tables, inside a transaction of the caller's."""
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO meta VALUES (?, ?, ?)", (inode, identity.first_term(time.time()), identity.boot_id())
    )
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def note_boot(connection: sqlite3.Connection) -> None:
    """Raise where terms begin, once a boot; where boots have no names, at each call. Inside a write."""
    boot = identity.boot_id()
    connection.execute(
        "UPDATE meta SET boot = ?, first_term = max(first_term, ?) WHERE boot <> ? OR boot = ''",
        (boot, identity.first_term(time.time()), boot),
    )


def first_term(connection: sqlite3.Connection) -> Term:
    """A claim that changes hands gets this term or a higher one."""
    return Term(connection.execute("SELECT first_term FROM meta").fetchone()[0])


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
