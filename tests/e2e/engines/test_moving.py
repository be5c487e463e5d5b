"""The procedure of docs/moving.md, step by step, with real bots: from a directory to a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bot, Bots
from tests.e2e.engines.hosts import LEASE
from tests.e2e.scenarios.frameworks import terminate, wait_standby

pytestmark = pytest.mark.slow


class Move:
    """`onepoller move` as a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def wait_said(self, words: str) -> None:
        """Read on until it says this."""
        assert self.process.stdout is not None
        assert any(words in line for line in self.process.stdout), f"it never said {words!r}"

    def end(self) -> int:
        """As systemd, or a user, ends it; the exit code."""
        self.process.terminate()
        return self.process.wait(20)


@contextmanager
def moving(bots: Bots, old: str, new: str) -> Iterator[Move]:
    """Run the command."""
    command = [sys.executable, "-m", "onepoller", "move", "--from", old, "--to", new]
    with subprocess.Popen(
        command, env=bots.environment({"state_dir": None}), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Move(process)
        finally:
            process.kill()


def start(bots: Bots, name: str, store: str, folder: Path) -> Bot:
    """Start an instance on a host of its own."""
    return bots.ptb(name, store=store, state_dir=folder / "hosts" / name, lease=LEASE)


def test_a_move_from_a_directory_to_a_server(
    telegram: Telegram, bots: Bots, store_url: str, tmp_path: Path
) -> None:
    """Two old instances, two new ones, messages all along: none lost, none handled twice, no conflict.

    An old instance that is started late, by a supervisor that nobody told, stands by.
    """
    directory = f"file://{tmp_path / 'old'}"
    old = [start(bots, "old-1", directory, tmp_path)]
    telegram.wait_parked("old-1")
    old.append(start(bots, "old-2", directory, tmp_path))
    wait_standby(old[1])
    telegram.push(1000, every=0.25)

    with moving(bots, directory, store_url) as move:
        move.wait_said("held in")
        new = [start(bots, f"new-{number}", store_url, tmp_path) for number in (1, 2)]
        for bot in new:
            wait_standby(bot)
        assert {row.poller for row in polls(telegram.rows())} == {"old-1"}

        assert terminate(old[0]) == 0
        old[1].wait(lambda bot: len(bot.handled) >= 4)
        asked_at, last = telegram.control.now(), telegram.last()
        assert terminate(old[1]) == 0
        move.wait_said("moved")
        first = telegram.wait_polled_by_another("old-2", after=last)
        gap = telegram.longest_gap(since=asked_at)

        old.append(start(bots, "old-3", directory, tmp_path))
        wait_standby(old[2])
        poller = next(bot for bot in new if bot.name == first.poller)
        seen = len(poller.handled)
        poller.wait(lambda bot: len(bot.handled) >= seen + 4)
        old[2].kill()
        assert move.end() == 0

    handled = bots.wait_all_handled()
    rows = telegram.rows()
    assert gap < 2.0
    assert {row.poller for row in polls(rows)} == {"old-1", "old-2", poller.name}
    assert (overlaps(rows), conflicts(rows)) == ([], [])
    assert set(handled.values()) == {1}
    for bot in (*old, *new):
        assert [said for said in bot.said if {"refused", "failed", "opened"} & said.keys()] == []
        assert "Traceback" not in bot.log


def test_what_the_old_instance_has_in_hand_does_not_come_again(
    telegram: Telegram, bots: Bots, tmp_path: Path
) -> None:
    """Told to hand over while it works, it never tells Telegram how far it came: the new instance does."""
    directory, other = (f"file://{tmp_path / name}" for name in ("old", "new"))
    old = bots.bare("old", "--work", "1", store=directory, state_dir=None)
    telegram.wait_parked("old")

    with moving(bots, directory, other) as move:
        move.wait_said("held in")
        new = bots.bare("new", store=other, state_dir=None)
        wait_standby(new)
        (in_hand,) = telegram.push()
        telegram.wait_for(lambda row: in_hand.update_id in row.update_ids)
        old.tell("hand_over")
        move.wait_said("moved")
        (later,) = telegram.push()
        new.wait_handled([later.update_id or 0])
        old.kill()
        assert move.end() == 0

    assert (old.handled, new.handled) == ([in_hand.update_id], [later.update_id])
    assert conflicts(telegram.rows()) == []


def test_nothing_to_move_is_said_in_a_sentence(bots: Bots, tmp_path: Path) -> None:
    """No traceback, exit code 2."""
    directory, other = (f"file://{tmp_path / name}" for name in ("old", "new"))

    nobody = bots.run("move", "--from", directory, "--to", other)
    same = bots.run("move", "--from", directory, "--to", directory)

    assert (nobody.returncode, same.returncode) == (2, 2)
    assert "nobody polls in" in nobody.stderr
    assert "must name another store" in same.stderr


def test_a_move_that_is_given_up_says_which_bots_have_not_moved(
    telegram: Telegram, bots: Bots, tmp_path: Path
) -> None:
    """The old instance goes on; the exit code tells a script."""
    directory, other = (f"file://{tmp_path / name}" for name in ("old", "new"))
    start(bots, "old", directory, tmp_path)
    telegram.wait_parked("old")

    with moving(bots, directory, other) as move:
        move.wait_said("held in")
        assert move.end() == 1

    assert telegram.poller() == "old"
