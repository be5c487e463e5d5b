"""Guarded pyTelegramBotAPI in real processes: with threads, without, and in an event loop."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from onepoller.testing.botapi import Row, conflicts, overlaps, polls
from tests.e2e.bots.at_server import AT_ONCE, Telegram
from tests.e2e.bots.processes import PROGRAMS, Bot, Bots

KINDS = ["threaded", "unthreaded", "asyncio"]
SYNC = ["threaded", "unthreaded"]
Start = Callable[..., Bot]

pytestmark = pytest.mark.slow


@pytest.fixture
def start(bots: Bots) -> Start:
    """Give a function that starts a bot."""

    def started(name: str, kind: str, *options: str, **settings: Any) -> Bot:
        return bots.start("telebot", name, "--kind", kind, *options, **settings)

    return started


def numbers(telegram: Telegram) -> dict[int, int]:
    """Give each message's number, which is what handlers see, by its update's id."""
    pushed = telegram.control.pushed(telegram.bot_id)
    return {made.update_id: made.number for made in pushed if made.update_id is not None}


def is_poll_of(name: str) -> Callable[[Row], bool]:
    """Say whether a row is a poll of this bot."""
    return lambda row: row.is_poll and row.poller == name


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_holder_is_followed(telegram: Telegram, start: Start, kind: str) -> None:
    """Kill -9 in a stream of messages: all that were not confirmed reach the other one, with no 409."""
    holder = start("a", kind)
    telegram.wait_parked("a")
    standby = start("b", kind)
    standby.wait_said(role="standby")
    telegram.push(1000, every=0.02)
    holder.wait(lambda bot: len(bot.handled) >= 20)
    holder.kill()
    standby.wait(lambda bot: len(bot.handled) >= 20)
    telegram.control.stop_push(telegram.bot_id)
    number_of = numbers(telegram)
    standby.wait_handled([max(number_of.values())])

    rows = telegram.rows()
    confirmed = {number_of[u] for row in polls(rows) if row.poller == "a" for u in row.confirmed}
    assert sorted(standby.handled) == sorted(set(number_of.values()) - confirmed)
    assert (overlaps(rows), conflicts(rows)) == ([], [])


@pytest.mark.parametrize("kind", SYNC)
def test_stop_polling_in_standby_is_quick_and_leaves_the_line(
    telegram: Telegram, start: Start, bots: Bots, kind: str
) -> None:
    """Polling returns at once though the wait is a long one; nobody waits for the claim then."""
    start("a", kind)
    telegram.wait_parked("a")
    standby = start("b", kind, "--timeout", "50")
    standby.wait_said(role="standby")
    began = time.monotonic()
    standby.tell("stop")
    standby.wait_said(returned=True)

    assert time.monotonic() - began < AT_ONCE
    standby.wait_said(role="stopped")
    assert bots.run("handover").returncode == 2
    assert [row for row in telegram.rows() if row.poller == "b" and row.is_poll] == []


@pytest.mark.parametrize("kind", SYNC)
def test_a_stopped_holder_makes_room_and_can_come_back(telegram: Telegram, start: Start, kind: str) -> None:
    """Its open poll ends, and what that brings is the successor's; started again it stands by, then polls."""
    holder = start("a", kind)
    telegram.wait_parked("a")
    other = start("b", kind)
    other.wait_said(role="standby")
    holder.tell("stop")
    holder.wait_said(returned=True)
    telegram.wait_parked("b")
    told = len(holder.said)
    holder.tell("again")
    holder.wait_said(since=told, role="standby")
    telegram.push(3)
    number_of = numbers(telegram)
    other.wait_handled(list(number_of.values()))
    telegram.wait_for(lambda row: max(number_of) in row.confirmed)
    other.kill()
    telegram.wait_for(is_poll_of("a"), after=telegram.last())

    rows = telegram.rows()
    assert (holder.handled, overlaps(rows), conflicts(rows)) == ([], [], [])


def test_a_poll_that_ends_after_the_stop_leaves_its_updates(telegram: Telegram, start: Start) -> None:
    """Left to itself, telebot would handle them and never confirm them: they would come twice."""
    holder = start("a", "threaded", "--timeout", "50")
    telegram.wait_parked("a")
    other = start("b", "threaded")
    other.wait_said(role="standby")
    holder.tell("stop")
    holder.wait_said(stopped=True)
    telegram.push(1)
    (number,) = numbers(telegram).values()
    other.wait_handled([number])

    assert holder.handled == []
    assert conflicts(telegram.rows()) == []


def test_a_handler_that_fails_brings_nothing_twice(telegram: Telegram, start: Start) -> None:
    """After it a second polling thread calls, beside the first, whose poll is open: no 409, nothing twice."""
    bot = start("a", "threaded", "--fail-at", "1", "--timeout", "6")
    telegram.wait_parked("a")
    telegram.push(1)
    bot.wait_handled(list(numbers(telegram).values()))
    bot.wait(lambda bot: "as handlers do" in bot.log)
    telegram.wait_for(lambda row: row.is_poll and row.how == "empty")
    telegram.push(2)
    bot.wait_handled(list(numbers(telegram).values()))
    telegram.wait_parked("a", after=telegram.last())

    assert sorted(bot.handled) == sorted(numbers(telegram).values())
    assert conflicts(telegram.rows()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_skip_pending_beside_a_peer_is_answered_as_done(telegram: Telegram, start: Start, kind: str) -> None:
    """Nothing is dropped while another instance lives, and never later; one line tells it."""
    holder = start("a", kind)
    telegram.wait_parked("a")
    newcomer = start("b", kind, "--skip-pending")
    newcomer.wait(lambda bot: "drop" in bot.log)
    newcomer.wait_said(role="standby")
    holder.kill()
    telegram.wait_for(is_poll_of("b"))

    assert [row.offset for row in telegram.rows() if row.is_poll and (row.offset or 0) < 0] == []


@pytest.mark.parametrize("kind", KINDS)
def test_skip_pending_alone_drops(telegram: Telegram, start: Start, kind: str) -> None:
    """What came before the start is dropped but for the last, at once, as telebot does it."""
    telegram.push(3)
    number_of = numbers(telegram)
    bot = start("a", kind, "--skip-pending", "--timeout", "50", on_rival="hold")
    bot.wait_handled([max(number_of.values())])
    first = telegram.wait_for(is_poll_of("a"))

    assert (first.offset, first.timeout, first.how) == (-1, 0, "updates")
    assert bot.handled == [max(number_of.values())]
    assert "gap" not in bot.log


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_elses_webhook_is_left_alone(telegram: Telegram, start: Start, kind: str) -> None:
    """`remove_webhook()` raises telebot's own exception, which names the host and the switch."""
    telegram.control.set_webhook(telegram.bot_id, "https://bot.example.org/s3cret")
    before = telegram.last()
    bot = start("a", kind, "--remove-webhook")
    code = bot.ended()

    assert code == 1
    assert "bot.example.org" in bot.log
    assert "on_webhook='delete'" in bot.log
    assert "s3cret" not in bot.log
    assert [row.method for row in telegram.rows() if row.seq > before] == ["getwebhookinfo"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_is_written(telegram: Telegram, start: Start, kind: str) -> None:
    """With every logger at DEBUG, through a rival, a server error and a revoked token."""
    bot = start("a", kind, "--debug", on_rival="hold")
    telegram.wait_parked("a")
    telegram.control.start_rival(telegram.bot_id, "telebot", name="rival")
    try:
        telegram.wait_for(lambda row: row.how == "conflict" and row.poller == "a")
    finally:
        telegram.control.stop_rival("rival")
    telegram.control.fault(telegram.bot_id, "html_502", times=1)
    telegram.wait_for(lambda row: row.status == 502)
    telegram.control.revoke(telegram.bot_id)
    bot.wait(lambda bot: "refuses the token" in bot.log)
    bot.kill()
    bot.ended()

    assert f"{telegram.bot_id}:***" in bot.log or kind == "asyncio"
    assert telegram.token.partition(":")[2] not in bot.log


def test_no_token_where_the_server_cannot_be_reached(telegram: Telegram, bots: Bots) -> None:
    """A ConnectionError of requests has the whole URL in it, and ends `polling()` with a traceback."""
    program = [sys.executable, str(PROGRAMS / "telebot_bot.py"), "a", "http://127.0.0.1:9", telegram.token]
    done = subprocess.run(
        [*program, "--once"], env=bots.environment({}), capture_output=True, text=True, check=False, input=""
    )

    assert done.returncode == 1
    assert f"/bot{telegram.bot_id}:***/getMe" in done.stderr
    assert telegram.token.partition(":")[2] not in done.stderr
