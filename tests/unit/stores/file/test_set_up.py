"""Opening the database: what is taken as ours, what is set aside, and when nothing may be touched."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from pathlib import Path

import pytest

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.file import schema
from onepoller.coordination.stores.file.connection import Occupied
from onepoller.coordination.stores.file.places import Places
from onepoller.coordination.stores.file.set_up import open_database


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A directory with nothing in it."""
    places = Places(directory=tmp_path / "state")
    places.make()
    return places


def kept(places: Places) -> list[str]:
    """The words under which databases were set aside."""
    return [path.name.split(".")[2].split("-")[0] for path in places.directory.glob("claims.db.*Z")]


def test_a_new_databases_terms_begin_at_its_creation(places: Places) -> None:
    """In seconds times 2^20, so that a later one begins higher."""
    before = time.time()
    opened = open_database(places)
    term = schema.first_term(opened.connection)
    opened.connection.close()
    assert before * 2**20 - 2**10 <= term <= time.time() * 2**20


def test_a_database_is_opened_as_it_was_left(places: Places) -> None:
    """The second opening makes nothing."""
    first = open_database(places)
    term = schema.first_term(first.connection)
    second = open_database(places)
    assert (schema.first_term(second.connection), second.note) == (term, "")
    first.connection.close()
    second.connection.close()


def test_an_empty_file_is_a_database_to_be_begun(places: Places) -> None:
    """As after a crash between making the file and writing to it."""
    places.database.touch()
    opened = open_database(places)
    assert schema.first_term(opened.connection) > 0
    opened.connection.close()
    assert kept(places) == []


def test_somebody_elses_database_is_set_aside(places: Places) -> None:
    """A file of that name that is not ours is kept."""
    with sqlite3.connect(places.database) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    open_database(places).connection.close()
    assert kept(places) == ["damaged"]


def test_a_file_that_is_no_database_is_set_aside(places: Places) -> None:
    """With its content."""
    places.database.write_bytes(b"no database" * 1000)
    opened = open_database(places)
    opened.connection.close()
    (path,) = places.directory.glob("claims.db.damaged-*Z")
    assert path.read_bytes() == b"no database" * 1000
    assert (
        opened.note
        == f"{places.database} was damaged; it is kept as {path.name}, and the claims were made anew."
    )


def test_a_database_without_a_table_is_set_aside(places: Places) -> None:
    """Ours, but not whole."""
    opened = open_database(places)
    opened.connection.execute("DROP TABLE wishes")
    opened.connection.close()
    open_database(places).connection.close()
    assert kept(places) == ["damaged"]


def test_a_database_of_another_version_is_not_touched(places: Places) -> None:
    """Processes of that version use it: two that set it aside in turn would never agree."""
    opened = open_database(places)
    opened.connection.execute("PRAGMA user_version = 2")
    opened.connection.close()
    with pytest.raises(StoreUnfit, match=r"schema 2, ours is 1\): run one version"):
        open_database(places)
    assert kept(places) == []


def test_a_suspect_is_set_aside_although_it_looks_sound(places: Places) -> None:
    """Who says so has seen it damaged, or without its -wal."""
    opened = open_database(places)
    inode = opened.marks.inodes[0][1]
    again = open_database(places, suspect=inode)
    opened.connection.close()
    again.connection.close()
    assert kept(places) == ["damaged"]


def test_a_suspect_that_is_gone_already_is_nobodys_business(places: Places) -> None:
    """Of two that find the same damage one makes the new one, the other opens it."""
    opened = open_database(places)
    inode = opened.marks.inodes[0][1]
    first = open_database(places, suspect=inode)
    second = open_database(places, suspect=inode)
    assert schema.first_term(first.connection) == schema.first_term(second.connection)
    for each in (opened, first, second):
        each.connection.close()


def test_closing_what_was_set_aside_leaves_the_new_one_alone(places: Places) -> None:
    """SQLite would remove a -wal by its name; not that of a file that was moved."""
    opened = open_database(places)
    again = open_database(places, suspect=opened.marks.inodes[0][1])
    opened.connection.close()
    assert again.marks.hold()
    again.connection.close()


def test_two_do_not_set_up_at_once(places: Places) -> None:
    """Who comes second is told which file is locked."""
    with places.set_up.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Occupied) as error:
            open_database(places)
    assert error.value.path == places.set_up
