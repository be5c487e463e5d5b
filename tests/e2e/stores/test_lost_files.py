"""Files that are deleted, renamed, replaced or damaged while a claim is held."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
Start = Callable[..., Any]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The directory of the processes."""
    return tmp_path / "state"


def delete(path: Path) -> None:
    """Remove it."""
    path.unlink()


def rename(path: Path) -> None:
    """Move it away; its link count stays 1."""
    path.rename(path.with_name("moved-away"))


def replace(path: Path) -> None:
    """Put a copy in its place."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


LOSSES = [delete, rename, replace]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_holder_that_lost_its_session_file_does_not_deliver(
    start: Start, state: Path, lose: Callable[[Path], None]
) -> None:
    """The look before delivery compares the inode."""
    holder = start(lease=3600)
    holder.ask("take")
    lose(state / "sessions" / holder.id)
    assert holder.ask("look") is False


@pytest.mark.parametrize("lose", LOSSES)
def test_a_holder_that_lost_its_session_file_is_over(
    start: Start, state: Path, refused: type[Exception], lose: Callable[[Path], None]
) -> None:
    """Its next beat says so, and its claim is free."""
    holder, standby = start(lease=3600), start(lease=3600)
    holder.ask("take")
    lose(state / "sessions" / holder.id)
    with pytest.raises(refused, match="SessionOver"):
        holder.ask("beat")
    assert standby.ask("read")["holder"] is None


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_session_file_proves_nothing(start: Start, state: Path, lose: Callable[[Path], None]) -> None:
    """Another file, or none, in its place does not make a living holder dead."""
    holder, standby = start(lease=3600), start(lease=3600)
    holder.ask("take")
    lose(state / "sessions" / holder.id)
    assert standby.ask("take", holder.id) is None


@pytest.mark.parametrize(
    ("lose", "name"),
    [(delete, "claims.db"), (rename, "claims.db"), (replace, "claims.db"), (delete, "claims.db-wal")],
)
def test_a_holder_that_lost_the_database_does_not_deliver(
    start: Start, state: Path, name: str, lose: Callable[[Path], None]
) -> None:
    """What cannot be read for certain is not ours."""
    holder = start(lease=3600)
    holder.ask("take")
    lose(state / name)
    assert holder.ask("look") is False


@pytest.mark.parametrize(
    ("lose", "name"),
    [(delete, "claims.db"), (replace, "claims.db"), (delete, "claims.db-wal"), (replace, "claims.db-shm")],
)
def test_holders_find_each_other_in_a_database_made_anew(
    start: Start, state: Path, name: str, lose: Callable[[Path], None]
) -> None:
    """The first that beats makes it from the living; each goes on with its claim, in a higher term."""
    holder, other = start(lease=3600), start(lease=3600)
    term = holder.ask("take")
    holder.ask("beat")
    lose(state / name)
    other.ask("beat")
    holder.ask("beat")
    seen = other.ask("read")
    assert (seen["holder"], seen["term"] > term) == (holder.id, True)


def damage(state: Path) -> None:
    """Overwrite the database and its -wal with rubbish, in place."""
    for path in (state / "claims.db", state / "claims.db-wal"):
        descriptor = os.open(path, os.O_WRONLY)
        os.pwrite(descriptor, b"\xa5" * path.stat().st_size, 0)
        os.close(descriptor)


def test_a_damaged_database_is_kept_under_a_name_that_says_so(start: Start, state: Path) -> None:
    """Who opens it sets it aside, and deletes nothing."""
    start(lease=3600)
    damage(state)
    start(lease=3600)
    assert len(list(state.glob("claims.db.damaged-*Z"))) == 1


def test_a_holder_keeps_its_claim_when_the_database_is_damaged(start: Start, state: Path) -> None:
    """Others find its claim in the database made anew, and cannot take it."""
    holder = start(lease=3600)
    holder.ask("take")
    holder.ask("beat")
    damage(state)
    newcomer = start(lease=3600)
    assert newcomer.ask("read")["holder"] == holder.id
    assert newcomer.ask("take", holder.id) is None


def test_a_backup_that_is_put_back_does_not_raise_the_dead(start: Start, state: Path) -> None:
    """A copy knows that it is one: it is set aside, and terms go up, not back."""
    holder = start(lease=3600)
    term = holder.ask("take")
    holder.ask("close")
    shutil.copy2(state / "claims.db", state / "backup")
    start(lease=3600).ask("close")
    (state / "backup").replace(state / "claims.db")
    newcomer = start(lease=3600)
    assert newcomer.ask("take") > term + 1
    assert len(list(state.glob("claims.db.copied-*Z"))) == 1
