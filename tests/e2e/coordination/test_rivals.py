"""Somebody who is not in our store polls: hold, yield, exit. The rival is a poller inside the fake."""

from __future__ import annotations

from functools import partial

import pytest

from onepoller.testing.botapi import Row, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow


HELD_FOR = 2.5
"""A 409 that took longer to come was held back by the server."""
LONG = pytest.param(True, marks=pytest.mark.soak, id="until it is over")
SHORT = pytest.param(False, id="while it lasts")


def is_given(update: int | None, name: str, row: Row) -> bool:
    """Whether this update was sent to this poller."""
    return row.poller == name and update in row.update_ids


@pytest.mark.parametrize("kind", ["ptb", pytest.param("bare", marks=pytest.mark.soak)])
@pytest.mark.parametrize("to_the_end", [SHORT, LONG])
def test_hold_keeps_polling_and_the_episode_ends_after_the_rival(
    telegram: Telegram, bots: Bots, kind: str, *, to_the_end: bool
) -> None:
    """Once the server holds the rival's 409s back most messages are ours; the bot itself sees none."""
    bot = (bots.ptb if kind == "ptb" else bots.bare)("a", "--timeout", "10", on_rival="hold")
    telegram.wait_parked("a")
    telegram.push(1000, every=0.25)
    name = telegram.control.start_rival(telegram.bot_id, "ptb", name=f"rival of {telegram.bot_id}")
    bot.wait_said(opened="rival")
    telegram.wait_for(
        lambda row: row.poller == name and (row.ended_at or 0) - (row.parked_at or 0) > HELD_FOR
    )
    seen = telegram.pushed()[-1]
    bot.wait(lambda b: sum(update > seen for update in b.handled) >= 12)
    assert not [said for said in bot.said if "refused" in said or "failed" in said]
    assert sum("also polled by somebody" in line for line in bot.log.splitlines()) == 1
    telegram.control.stop_rival(name)
    if to_the_end:
        bot.wait_said(closed="rival", resolution="rival_gone", timeout=40)
        bot.wait_said(role="polling", since=bot.said.index(bot.wait_said(opened="rival")))
    telegram.control.stop_push(telegram.bot_id)
    taken = {update for row in polls(telegram.rows()) if row.poller == name for update in row.update_ids}
    assert sum(update > seen for update in taken) <= 3


@pytest.mark.parametrize("to_the_end", [SHORT, LONG])
def test_yield_stops_polling_and_comes_back(telegram: Telegram, bots: Bots, *, to_the_end: bool) -> None:
    """Nothing is taken from the rival; when it is gone and a message waits, polling resumes."""
    bot = bots.bare("a", "--timeout", "10", on_rival="yield")
    telegram.wait_parked("a")
    name = telegram.control.start_rival(telegram.bot_id, "aiogram", name=f"rival of {telegram.bot_id}")
    bot.wait_said(opened="rival")
    yielded = telegram.last()
    for _ in range(4):
        made = telegram.push()[0].update_id
        telegram.wait_for(partial(is_given, made, name))
    assert bot.handled == []
    ours = [row for row in telegram.rows() if row.is_poll and row.poller == "a" and row.seq > yielded]
    assert [row for row in ours if row.timeout] == []
    telegram.control.stop_rival(name)
    if to_the_end:
        left = telegram.push()[0].update_id
        bot.wait_said(closed="rival", resolution="rival_gone", timeout=20)
        bot.wait(lambda b: left in b.handled)


@pytest.mark.parametrize("kind", ["ptb", "bare"])
def test_exit_ends_the_process_with_code_75(telegram: Telegram, bots: Bots, kind: str) -> None:
    """PTB stops as on SIGTERM, a program without a handler is ended; both with the code for supervisors."""
    bot = (bots.ptb if kind == "ptb" else bots.bare)("a", "--timeout", "10", on_rival="exit")
    telegram.wait_parked("a")
    telegram.control.start_rival(telegram.bot_id, "ptb", name=f"rival of {telegram.bot_id}")
    assert bot.ended() == 75
    assert "ending this process with exit code 75" in bot.log
    telegram.control.stop_rival(f"rival of {telegram.bot_id}")
