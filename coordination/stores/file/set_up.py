"""Opening the database: found, made, or set aside and made anew.

All of it happens under one lock, so that of many processes that start, or find the same damage, at once, one
does it. What is set aside keeps its content under a name that says why.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

from onepoller.coordination.stores.file import flock, rebuild, schema
from onepoller.coordination.stores.file.connection import Occupied, connect, is_damage, translated
from onepoller.coordination.stores.file.locks import WAL_WRITER
from onepoller.coordination.stores.file.marks import Inode, Marks, inode_at, inode_of
from onepoller.coordination.stores.file.places import Places
from onepoller.coordination.stores.file.schema import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An open database, and by what its files are known."""

    connection: sqlite3.Connection
    marks: Marks
    note: str = ""
    """One sentence where something was set aside."""


def open_database(places: Places, *, suspect: Inode | None = None) -> Opened:
    """Open the database or make one. `suspect`: set this one aside. Raises Occupied while others do so."""
    with translated(places.database_files[2], writer=WAL_WRITER):
        descriptor = os.open(
            places.set_up, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, places.file_mode
        )
        try:
            if not flock.take(descriptor):
                raise Occupied(places.set_up)
            try:
                return _open(places, suspect)
            finally:
                flock.give_up(descriptor)  # a child forked elsewhere may have a duplicate
        finally:
            os.close(descriptor)


def _open(places: Places, suspect: Inode | None) -> Opened:
    inode = inode_at(places.database)
    if inode is None:
        # SQLite would take what is left for the new one's.
        if any(path.exists() for path in places.database_files[1:]):
            return _anew(places, Condition.LOST)
        return _begin(places, _new_file(places))
    if inode == suspect:
        return _anew(places, Condition.DAMAGED)
    with ExitStack() as failed:
        try:
            connection = failed.enter_context(closing(connect(places.database, mode="rw")))
            condition = schema.condition_of(connection, inode=inode.number)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            condition = Condition.DAMAGED
        if condition is Condition.FIT:
            failed.pop_all()
            return Opened(connection=connection, marks=Marks.of(places.database_files))
        if condition is not Condition.EMPTY:
            # Before the old one is closed: SQLite writes nothing back to a file that was moved.
            return _anew(places, condition)
    return _begin(places, inode)


def _anew(places: Places, condition: Condition) -> Opened:
    kept = _set_aside(places, condition.value)
    opened = _begin(places, _new_file(places))
    note = f"{places.database} was {condition.value}; it is kept as {kept}, and the claims were made anew."
    return Opened(connection=opened.connection, marks=opened.marks, note=note)


def _set_aside(places: Places, word: str) -> str:
    """Rename the database first, so that nobody opens it between the renames."""
    now = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06}Z"
    kept = f"{places.database.name}.{word}-{stamp}"
    for path in places.database_files:
        suffix = path.name.removeprefix(places.database.name)
        try:
            os.rename(path, places.directory / f"{kept}{suffix}")
        except FileNotFoundError:
            continue
    return kept


def _new_file(places: Places) -> Inode:
    """An empty file with our rights. Nothing in this process has it open yet, so that we may close it."""
    descriptor = os.open(
        places.database, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, places.file_mode
    )
    try:
        os.fchmod(descriptor, places.file_mode)  # whatever the umask
        return inode_of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _begin(places: Places, inode: Inode) -> Opened:
    connection = connect(places.database, mode="rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        schema.create(connection, inode=inode.number)
        rebuild.adopt(connection, places.sessions)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return Opened(connection=connection, marks=Marks.of(places.database_files))
