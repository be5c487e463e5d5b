"""Scenario 3, where the bot is left to the foreign program: by order, or because it was there first."""

from __future__ import annotations

from pathlib import Path

import pytest

from onepoller.testing.botapi import Row, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bot, Bots
from tests.e2e.scenarios.foreigners import (
    Foreigners,
    counted,
    each_pair,
    given,
    seen_conflicts,
    wait_rows,
    waited,
)
from tests.e2e.scenarios.frameworks import Cast
from tests.e2e.scenarios.played import free_address

pytestmark = pytest.mark.slow
SHORT = pytest.param(8, False, id="short")
FULL = pytest.param(1200, True, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(1200)])
LONG = pytest.param(1200, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(1200)])
EVERY = 0.5
PEEKS = range(2, 1000)
"""Offsets of a look from outside: `coordination/rivals.py`."""


def leave_to_the_rival(telegram: Telegram, rival: Bot, *, messages: int) -> list[Row]:
    """Send so many messages: the rival gets and confirms all, then is killed. Gives our polls meanwhile."""
    since, before = telegram.last(), len(telegram.pushed())
    telegram.push(messages, every=EVERY)
    wait_rows(
        telegram,
        lambda rows: len(set(telegram.pushed()[before:]) & given(rows, rival.name)) == messages,
        timeout=EVERY * messages + 20,
    )
    last = telegram.pushed()[-1]
    confirmed = telegram.wait_for(lambda row: last in row.confirmed)
    rival.kill()
    rows = [row for row in polls(telegram.rows()) if since < row.seq < confirmed.seq]
    return [row for row in rows if row.poller == "a"]


def check_that_it_comes_back(telegram: Telegram, bot: Bot) -> None:
    """A message that waits reaches it in time."""
    made = telegram.push()[0].update_id
    assert made is not None
    bot.wait_handled([made])
    assert waited(telegram, made, bot.name) < 15
    assert bot.process.poll() is None
    assert [said for said in bot.said if "refused" in said or "failed" in said] == []
    assert "Traceback" not in bot.log


@each_pair
@pytest.mark.parametrize(("messages", "to_the_end"), [SHORT, FULL])
def test_yield_leaves_all_to_the_rival(
    telegram: Telegram,
    bots: Bots,
    cast: Cast,
    tmp_path: Path,
    *,
    kind: str,
    rival: str,
    messages: int,
    to_the_end: bool,
) -> None:
    """We only look from outside while it polls; afterwards log and metrics say how much it took."""
    foreign = Foreigners(bots, tmp_path).ready(rival)
    address = free_address()
    bot = cast.start(kind, "a", "--timeout", "10", on_rival="yield", metrics=address)
    telegram.push()
    bot.wait_handled(telegram.pushed())
    foreign.wait_said(ready=True)
    foreign.tell("go")
    telegram.wait_parked("rival")
    bot.wait_said(opened="rival")

    ours = leave_to_the_rival(telegram, foreign, messages=messages)
    assert {row.offset for row in ours} <= set(PEEKS)
    assert [row for row in ours if row.confirmed] == []
    check_that_it_comes_back(telegram, bot)
    assert len(bot.handled) == 2
    assert counted(address, "onepoller_updates_missed_total") == messages
    assert counted(address, "onepoller_conflicts_total", kind="rival") == 1
    if to_the_end:
        bot.wait_said(closed="rival", resolution="rival_gone", timeout=100)
        assert f"about {messages} updates went elsewhere" in bot.log


@each_pair
@pytest.mark.parametrize("messages", [8, LONG])
def test_a_newcomer_stands_by_until_the_rival_is_killed(
    telegram: Telegram,
    bots: Bots,
    cast: Cast,
    tmp_path: Path,
    *,
    kind: str,
    rival: str,
    messages: int,
) -> None:
    """By default the second leaves the bot before or with its first 409, and takes over when it is free."""
    foreign = Foreigners(bots, tmp_path).polling(rival)
    bot = cast.start(kind, "a", "--timeout", "10")
    bot.wait_said(opened="rival")
    assert len(seen_conflicts(telegram.rows(), "a")) <= 1

    leave_to_the_rival(telegram, foreign, messages=messages)
    assert "it was here before us, so I stand by until it is gone" in bot.log
    seen = [
        row for row in seen_conflicts(telegram.rows(), "a") if row.limit != 1
    ]  # a probe asks for one update
    assert (bot.handled, len(seen)) == ([], 1)
    check_that_it_comes_back(telegram, bot)
    assert len(bot.handled) == 1


@each_pair
def test_exit_ends_the_process_with_code_75(
    telegram: Telegram, bots: Bots, cast: Cast, tmp_path: Path, *, kind: str, rival: str
) -> None:
    """The framework stops as on SIGTERM, with the code for supervisors; the rival has the bot."""
    foreign = Foreigners(bots, tmp_path).ready(rival)
    bot = cast.start(kind, "a", "--timeout", "10", on_rival="exit")
    telegram.wait_parked("a")
    foreign.wait_said(ready=True)
    foreign.tell("go")
    assert bot.ended() == 75
    assert "ending this process with exit code 75" in bot.log
    telegram.push()
    telegram.wait_for(lambda row: row.poller == "rival" and set(row.update_ids) == set(telegram.pushed()))
