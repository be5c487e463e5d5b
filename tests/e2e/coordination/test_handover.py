"""Planned changes over real sockets: `onepoller handover`, `start="takeover"`, and SIGTERM of the holder."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bot, Bots

pytestmark = pytest.mark.slow
EVERY = 0.2
"""Five messages a second."""
BOUND = 1.0
"""How long nobody may poll; the real bound, 20 ms, is judged by the benchmarks."""


def ask_by_command(bots: Bots, _: Bot, __: str) -> None:
    """The command line."""
    result = bots.run("handover", str(bots.telegram.bot_id))
    assert (result.returncode, result.stderr) == (0, "")


def ask_by_signal(_: Bots, holder: Bot, __: str) -> None:
    """SIGTERM, as an orchestrator does."""
    holder.send(signal.SIGTERM)


@pytest.mark.parametrize(
    ("kind", "ask"), [("ptb", ask_by_command), ("bare", ask_by_command), ("bare", ask_by_signal)]
)  # python-telegram-bot and SIGTERM: scenario 1
def test_a_handover_under_load_loses_and_repeats_nothing(
    telegram: Telegram, bots: Bots, kind: str, ask: Callable[[Bots, Bot, str], None]
) -> None:
    """The next poll starts at once, no client sees a 409, and each message is handled once."""
    start = bots.ptb if kind == "ptb" else bots.bare
    options = [] if kind == "ptb" else ["--graceful"]
    holder = start("a", *options)
    telegram.wait_parked("a")
    since = telegram.control.now()
    standby = start("b", *options)
    standby.wait_said(role="standby")
    telegram.push(1000, every=EVERY)
    holder.wait(lambda bot: len(bot.handled) >= 5)
    ask(bots, holder, kind)
    standby.wait(lambda bot: len(bot.handled) >= 5)
    check_that_nothing_happened(telegram, bots, since=since)


def check_that_nothing_happened(telegram: Telegram, bots: Bots, *, since: float) -> None:
    """No two pollers, no 409, no pause, and every message was handled exactly once.

    An answer that crosses with the end of the old one's poll is sent again: sent twice, handled once.
    """
    handled = bots.wait_all_handled()
    rows = telegram.rows()
    assert (overlaps(rows), conflicts(rows)) == ([], [])
    assert set(handled.values()) == {1}
    assert telegram.longest_gap(since=since) < BOUND


@pytest.mark.parametrize("kind", ["ptb", pytest.param("bare", marks=pytest.mark.soak)])
def test_a_newcomer_that_asks_to_take_over_gets_it_once(telegram: Telegram, bots: Bots, kind: str) -> None:
    """`start="takeover"`: the holder hands over and stands by; a second newcomer with the same aim waits."""
    start = bots.ptb if kind == "ptb" else bots.bare
    holder = start("a")
    telegram.wait_parked("a")
    since = telegram.control.now()
    telegram.push(1000, every=EVERY)
    holder.wait(lambda bot: len(bot.handled) >= 3)
    newcomer = start("b", start="takeover")
    newcomer.wait(lambda bot: len(bot.handled) >= 5)
    holder.wait_said(role="standby")
    check_that_nothing_happened(telegram, bots, since=since)


def test_a_call_that_cannot_be_ended_is_allowed_to_end(telegram: Telegram, bots: Bots) -> None:
    """A loop in a thread: the successor polls when the open call has ended, and not before."""
    holder = bots.bare("a", "--sync")
    telegram.wait_parked("a")
    since = telegram.control.now()
    standby = bots.bare("b", "--sync")
    standby.wait_said(role="standby")
    telegram.push()
    holder.wait_handled(telegram.pushed())
    given = telegram.wait_for(lambda row: row.how == "updates")
    last = telegram.wait_parked("a", after=given.seq)
    ask_by_command(bots, holder, "")
    telegram.wait_parked("b")
    assert next(row.how for row in telegram.rows() if row.seq == last.seq) == "empty"
    telegram.push()
    check_that_nothing_happened(telegram, bots, since=since)
