"""Scenario 2: `kill -9` in the middle of a poll, and a supervisor that starts the bot again, three times."""

from __future__ import annotations

import time

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.scenarios.frameworks import EVERYBODY, Cast, wait_called

pytestmark = pytest.mark.slow
SHORT = pytest.param(2.0, 2, id="short")
FULL = pytest.param(10.0, 10, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(300)])
START = 15.0
"""A start of the interpreter on a busy machine, seconds; not ours to bound."""


@pytest.mark.parametrize("kind", [*EVERYBODY, pytest.param("bare", marks=pytest.mark.soak)])
@pytest.mark.parametrize(("lease", "timeout"), [SHORT, FULL])
def test_each_respawn_receives_within_a_lease(
    telegram: Telegram, cast: Cast, lease: float, timeout: int, kind: str
) -> None:
    """No exit loop, no fixed sleep, no visible conflict; only what the framework had confirmed is lost."""
    everybody = [cast.start(kind, "0", "--timeout", str(timeout), lease=lease)]
    telegram.wait_parked("0")
    telegram.push(1000, every=0.5)
    for number in ("1", "2", "3"):
        telegram.wait_parked(everybody[-1].name)
        everybody[-1].kill()
        time.sleep(1.0)
        everybody.append(cast.start(kind, number, "--timeout", str(timeout), lease=lease))
        wait_called(everybody[-1], timeout=START)
        everybody[-1].wait(lambda bot: bool(bot.handled), timeout=lease + 2)
    telegram.control.stop_push(telegram.bot_id)
    pushed = telegram.pushed()
    everybody[-1].wait_handled(pushed[-1:])

    rows = telegram.rows()
    killed = {bot.name for bot in everybody[:-1]}
    confirmed_by_the_dead = {
        update for row in polls(rows) if row.poller in killed for update in row.confirmed
    }
    lost = set(pushed) - {update for bot in everybody for update in bot.handled}
    assert lost <= (set() if kind in {"bare", "httpx"} else confirmed_by_the_dead)
    assert (overlaps(rows), conflicts(rows)) == ([], [])
    assert everybody[-1].process.poll() is None
