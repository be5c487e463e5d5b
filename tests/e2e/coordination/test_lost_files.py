"""The store's files are deleted, renamed, replaced or damaged while bots poll: noticed within a heartbeat."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import Bot, Bots

pytestmark = pytest.mark.slow
LEASE = 3.0
"""A heartbeat is a third."""


def delete(path: Path) -> None:
    """Remove it."""
    path.unlink()


def rename(path: Path) -> None:
    """Move it away."""
    path.rename(path.with_name("moved-away"))


def replace(path: Path) -> None:
    """Put a copy in its place."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


def damage(path: Path) -> None:
    """Overwrite it, as a broken disk does."""
    size = path.stat().st_size
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, b"\xa5" * size, 0)
    os.close(descriptor)


LOSSES = [delete, pytest.param(rename, marks=pytest.mark.soak), replace]


def two_bots(telegram: Telegram, bots: Bots) -> tuple[Bot, Bot]:
    """A holder and a standby under ten messages a second."""
    holder, standby = bots.pair(lease=LEASE)
    telegram.push(1000, every=0.1)
    holder.wait(lambda bot: len(bot.handled) >= 5)
    return holder, standby


def check(bots: Bots) -> None:
    """Every message was handled by exactly one of them, and once."""
    handled = bots.wait_all_handled()
    assert {update: times for update, times in handled.items() if times > 1} == {}


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_session_file_ends_the_session(
    telegram: Telegram, bots: Bots, lose: Callable[[Path], None]
) -> None:
    """Within a heartbeat it is over, there is a new one, somebody polls on, and nothing is handled twice."""
    holder, standby = two_bots(telegram, bots)
    mine = [path for path in (bots.state / "sessions").iterdir() if str(path) in _open_files(holder.pid)]
    lose(mine[0])
    lost = _index(holder, holder.wait_said(session="lost", timeout=LEASE))
    holder.wait_said(session="opened", since=lost)
    _wait_for_term(holder, standby, above=holder.wait_said(role="polling")["term"])
    check(bots)


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_database_is_made_anew(telegram: Telegram, bots: Bots, lose: Callable[[Path], None]) -> None:
    """Within a heartbeat polling goes on in a higher term, and nothing is handled twice."""
    holder, standby = two_bots(telegram, bots)
    lose(bots.state / "claims.db")
    _wait_for_term(holder, standby, above=holder.wait_said(role="polling")["term"])
    check(bots)


def test_a_damaged_database_is_set_aside(telegram: Telegram, bots: Bots) -> None:
    """It is kept under a name that says so; the holder keeps its claim, in a higher term."""
    holder, standby = two_bots(telegram, bots)
    term = holder.wait_said(role="polling")["term"]
    for name in ("claims.db", "claims.db-wal"):  # all of a young database is still in its log
        damage(bots.state / name)
    bots.bare("c", lease=LEASE).wait_said(
        role="standby"
    )  # a newcomer reads it: those who have it do not look
    _wait_for_term(holder, above=term)
    assert len(list(bots.state.glob("claims.db.damaged-*Z"))) == 1
    check(bots)
    assert standby.handled == []


def _wait_for_term(*everybody: Bot, above: int) -> None:
    """Wait until one of them polls in a higher term."""
    deadline = time.monotonic() + PATIENCE
    while (
        max(said.get("term") or 0 for bot in everybody for said in bot.said if said.get("role") == "polling")
        <= above
    ):
        assert time.monotonic() < deadline, [bot.log for bot in everybody]
        time.sleep(0.02)


def _index(bot: Bot, said: dict[str, Any]) -> int:
    """Where it said that."""
    return bot.said.index(said)


def _open_files(pid: int) -> set[str]:
    """What a process has open."""
    names = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            names.add(str(link.readlink()))
    return names
