"""A directory that cannot be used: named, it ends the program in one sentence; the default one never does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow


def test_a_named_directory_of_somebody_else_is_refused_in_one_sentence(
    telegram: Telegram,
    bots: Bots,
    tmp_path: Path,
    need_root: None,  # noqa: ARG001  # a condition
) -> None:
    """The program ends before its first call, and the last line says what to change."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, 12345, 12345)
    bot = bots.bare("a", state_dir=theirs)
    assert bot.ended() == 1
    last = bot.log.rstrip().splitlines()[-1]
    assert last.startswith("onepoller.coordination.errors.StoreUnfit: ")
    assert "belongs to user 12345" in last
    assert telegram.rows() == []


def test_a_named_path_that_is_no_directory_is_refused_in_one_sentence(
    telegram: Telegram, bots: Bots, tmp_path: Path
) -> None:
    """PTB's `guard` raises where it is called, not inside a retry loop."""
    (tmp_path / "file").touch()
    bot = bots.ptb("a", state_dir=tmp_path / "file" / "state")
    assert bot.ended() == 1
    assert bot.log.rstrip().splitlines()[-1].startswith("onepoller.coordination.errors.StoreUnfit: ")
    assert telegram.rows() == []


def test_an_unfit_default_directory_stops_nobody(
    telegram: Telegram, bots: Bots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning says that only this process is covered; the bot polls and receives."""
    (tmp_path / "home").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    bot = bots.bare("a", state_dir=None)
    telegram.wait_parked("a")
    telegram.push()
    bot.wait_handled(telegram.pushed())
    warnings = [line for line in bot.log.splitlines() if line.startswith("WARNING")]
    assert ["Only this process is covered" in line for line in warnings] == [True]
