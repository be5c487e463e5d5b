"""The process crashes under load: what it was never given goes to the successor, nothing else comes twice."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["ptb", "bare"])
def test_a_crash_under_load(telegram: Telegram, bots: Bots, kind: str) -> None:
    """What the dead one had not confirmed reaches the successor; only that may be handled twice."""
    start = bots.ptb if kind == "ptb" else bots.bare
    holder = start("a", "--work", "0.02")
    telegram.wait_parked("a")
    standby = start("b")
    standby.wait_said(role="standby")
    telegram.push(1000, every=0.02)
    holder.wait(lambda bot: len(bot.handled) >= 20)
    holder.kill()
    standby.wait(lambda bot: len(bot.handled) >= 20)
    telegram.control.stop_push(telegram.bot_id)
    pushed = telegram.pushed()
    standby.wait_handled(pushed[-1:])

    rows = telegram.rows()
    given = {update for row in polls(rows) if row.poller == "a" for update in row.update_ids}
    confirmed = {update for row in polls(rows) if row.poller == "a" for update in row.confirmed}
    assert set(pushed) - confirmed == set(standby.handled)
    assert len(standby.handled) == len(set(standby.handled))
    assert set(holder.handled) & set(standby.handled) <= given - confirmed
    assert (overlaps(rows), conflicts(rows)) == ([], [])
