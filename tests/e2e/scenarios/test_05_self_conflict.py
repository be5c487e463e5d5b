"""Scenario 5: a process that gets in its own way. Never two polls of it are on their way.

For a proxy its clients are such processes: PTB as it comes, which starts, stops and is read too slowly.
"""

from __future__ import annotations

from typing import Any

import pytest

from onepoller.testing.botapi import Row, conflicts, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.scenarios.frameworks import EVERYBODY, FRAMEWORKS, LOOPS, PROXY, Cast

pytestmark = pytest.mark.slow
each = pytest.mark.parametrize("kind", EVERYBODY)


def polls_beside_each_other(telegram: Telegram) -> list[Row]:
    """Polls that arrived while another one of the same bot was open."""
    return [row for row in polls(telegram.rows()) if row.beside]


def start_by_hand(telegram: Telegram, cast: Cast, kind: str, *options: str) -> Any:
    """A framework's bot that takes orders, and polls."""
    bot = cast.start(kind, "a", "--by-hand", *options)
    telegram.wait_parked("a")
    return bot


def obey(bot: Any, order: str) -> None:
    """Give an order and wait until it is done."""
    heard = len(bot.said)
    bot.tell(order)
    bot.wait_said(done=order, since=heard)


def check(telegram: Telegram, bot: Any) -> None:
    """It still receives, once; nothing was ever beside a poll; nobody saw a 409."""
    pushed = [made.update_id for made in telegram.push(3) if made.update_id is not None]
    bot.wait_handled(pushed)
    assert sorted(bot.handled) == telegram.pushed()
    assert (polls_beside_each_other(telegram), conflicts(telegram.rows())) == ([], [])
    assert "another instance" not in bot.log


@each
def test_a_second_start_changes_nothing(telegram: Telegram, cast: Cast, kind: str) -> None:
    """PTB says that its updater runs already, aiogram's dispatcher waits for the first, loops take turns."""
    bot = start_by_hand(telegram, cast, kind)
    obey(bot, "start")
    if kind in {"ptb", PROXY}:
        bot.wait(lambda b: any("already running" in said.get("raised", "") for said in b.said))
    check(telegram, bot)


@each
def test_a_second_application_of_the_same_bot_joins(telegram: Telegram, cast: Cast, kind: str) -> None:
    """Two applications in one process take turns; each update is handled once. A proxy sees two clients."""
    bot = start_by_hand(telegram, cast, kind)
    obey(bot, "second")
    if kind == PROXY:
        telegram.wait_for(lambda row: row.how == "empty", after=telegram.last())
    else:
        bot.wait(lambda b: "a second poller of your own" in b.log)
    check(telegram, bot)


def test_two_bare_loops_in_one_process_take_turns(telegram: Telegram, bots: Bots) -> None:
    """A second loop waits like a standby and never reaches Telegram at the same time."""
    bot = bots.bare("a")
    telegram.wait_parked("a")
    bot.tell("twice")
    telegram.wait_for(lambda row: row.how == "empty", after=telegram.last())
    assert (polls_beside_each_other(telegram), conflicts(telegram.rows())) == ([], [])


@each
def test_a_stop_and_a_start_within_a_second(telegram: Telegram, cast: Cast, kind: str) -> None:
    """The poll of before is gone, and its final confirm too, when the next one starts."""
    bot = start_by_hand(telegram, cast, kind)
    (pushed,) = [made.update_id or 0 for made in telegram.push()]
    bot.wait(lambda b: bool(b.handled))
    if kind == PROXY:  # plain PTB is deaf for good where its poll is cancelled while it is being sent
        telegram.wait_for(lambda row: row.parked_at is not None and (row.offset or 0) > pushed)
    obey(bot, "stop")
    obey(bot, "start")
    check(telegram, bot)


@each
def test_twenty_reloads(telegram: Telegram, cast: Cast, kind: str) -> None:
    """Hot reload: the updater stops and starts twenty times under load.

    Plain PTB behind a proxy does so without load and once its poll is parked: cancelled while it is being
    sent, a poll takes its slot in PTB's own pool along (httpcore), which no proxy can give back.
    """
    bot = start_by_hand(telegram, cast, kind)
    if kind != PROXY:
        telegram.push(1000, every=0.1)
    for _ in range(20):
        before = telegram.last()
        obey(bot, "reload")
        if kind == PROXY:
            telegram.wait_parked("a", after=before)
    telegram.control.stop_push(telegram.bot_id)
    check(telegram, bot)


@pytest.mark.parametrize("kind", [*FRAMEWORKS, *LOOPS[1:], PROXY])
def test_a_read_timeout_during_the_poll(telegram: Telegram, cast: Cast, kind: str) -> None:
    """A poll that nobody answers is given up by the client, and the retry loop of the framework goes on.

    A TeleBot waits 5 s longer than its poll, whatever it is told: see the fault cell of `tests/contract`.
    """
    patience = "0.5" if kind in {"ptb", "httpx", PROXY} else "1"  # the others take whole seconds
    bot = start_by_hand(telegram, cast, kind, "--timeout", "1", "--read-timeout", patience)
    telegram.control.fault(telegram.bot_id, "hang", times=2, method="getUpdates")
    telegram.wait_for(lambda row: row.how == "fault")
    telegram.wait_for(lambda row: row.how == "empty", after=telegram.last())
    check(telegram, bot)
