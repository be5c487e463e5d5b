"""The main rows of docs/comparison.md as real processes at the fake server; the rival is plain aiogram.

Programs, pauses and log lines are the frameworks' own. All fights go on at the same time, each with a bot of
its own; a fight is half a minute, so only who keeps more, and why, is judged, not the hour's figures.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from onepoller.testing.botapi import Control, Row
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bot, Bots
from tests.e2e.scenarios.foreigners import TRIAL, Foreigners, given, polled_for, seen_conflicts, wait_rows

pytestmark = pytest.mark.soak

EVERY = 0.5
"""Seconds between two messages."""
MESSAGES = 60
TENURE = 50.0
"""An incumbent holds for at least 0.7 of it, and 3 s."""
PLAIN = {"python-telegram-bot": "ptb", "aiogram": "aiogram"}
AT_MOST, AT_LEAST = 0.85, 0.9
"""A plain bot pauses for a second or more after each 409, and meets one every 3 to 5 s."""
STARTING = 60.0
"""Eight interpreters import their frameworks on what may be two cores."""
_BOT_IDS = itertools.count(7000009101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fought:
    """What came of one fight."""

    ours: float
    """Of the messages, the share that our bot was given."""
    rivals: float
    conflicts: int
    """409s that our bot's process saw."""
    log: str


class Ring:
    """One bot at the server, our poller of it, and the rival."""

    def __init__(self, name: str, bots: Bots, foreigners: Foreigners) -> None:
        self.name = name
        self.telegram = bots.telegram
        self._bots = bots
        self._rival = foreigners.ready("aiogram")
        self._ours = foreigners.ready(PLAIN[name], "ours") if name in PLAIN else None
        self._before = 0

    def _begin(self, bot: Bot) -> None:
        bot.wait_said(ready=True, timeout=STARTING)
        bot.tell("go")
        self.telegram.wait_parked(bot.name)

    def ours_begins(self) -> None:
        """Our bot polls."""
        if self._ours is not None:
            self._begin(self._ours)
            return
        self._ours = self._bots.start("aiogram", "ours", "--timeout", "10", on_rival=self.name)
        self.telegram.wait_parked("ours", timeout=STARTING)

    def rival_begins(self) -> None:
        """The rival polls too: from now on the messages count."""
        self._begin(self._rival)
        self._before = len(self.telegram.pushed())

    def judged(self) -> Fought:
        """Wait for so many messages, and count."""
        wanted = self._before + MESSAGES
        patience = 2 * EVERY * MESSAGES
        wait_rows(self.telegram, lambda _: len(self.telegram.pushed()) > wanted, timeout=patience)
        pushed, rows = self.telegram.pushed()[self._before : wanted], self.telegram.rows()
        assert self._ours is not None
        return Fought(
            ours=sum(update in given(rows, "ours") for update in pushed) / MESSAGES,
            rivals=sum(update in given(rows, self._rival.name) for update in pushed) / MESSAGES,
            conflicts=len(seen_conflicts(rows, "ours")),
            log=self._ours.log,
        )


def _has_tenure(rows: Sequence[Row]) -> bool:
    return polled_for(rows, "ours") >= TRIAL + TENURE


@pytest.fixture(scope="module")
def fought(fake_server: Control, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fought]:
    """Fight all of them. Our bots were there first, `auto` for so long that it holds to the end."""
    with ExitStack() as stack:
        for logger in (
            logging.getLogger("httpx"),
            logging.getLogger("httpcore"),
        ):  # of the control connection
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.WARNING)
        rings = []
        for name in (*PLAIN, "hold", "auto"):
            folder = tmp_path_factory.mktemp("ring")
            bots = Bots(Telegram(fake_server, next(_BOT_IDS)), folder)
            stack.callback(bots.close)
            rings.append(Ring(name, bots, Foreigners(bots, folder)))
        *others, incumbent = rings
        for ring in rings:
            ring.telegram.push(100_000, every=EVERY)
            stack.callback(fake_server.stop_push, ring.telegram.bot_id)
        incumbent.ours_begins()
        for ring in others:
            ring.ours_begins()
            ring.rival_begins()
        found = {ring.name: ring.judged() for ring in others}
        wait_rows(incumbent.telegram, _has_tenure, timeout=2 * TENURE)
        incumbent.rival_begins()
        return found | {incumbent.name: incumbent.judged()}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_bot_loses_messages_to_its_own_pauses(fought: dict[str, Fought], name: str) -> None:
    """It is told of each 409, tells it in its log, and pauses; meanwhile the rival is given the messages."""
    fight = fought[name]

    assert fight.ours <= AT_MOST
    assert fight.rivals >= 1 - AT_MOST
    assert fight.log.count("terminated by other getUpdates request") >= fight.conflicts - 1 >= 2


@pytest.mark.parametrize("name", ["hold", "auto"])
def test_a_guarded_bot_keeps_the_messages(fought: dict[str, Fought], name: str) -> None:
    """It sees 409s too; its framework hears of none, so it does not pause, and its log has one line."""
    fight = fought[name]

    assert fight.ours >= AT_LEAST
    assert fight.conflicts >= 2
    assert fight.log.count("conflict: bot") == 1
    assert "terminated by other getUpdates request" not in fight.log


def test_the_guarded_ones_are_ahead_of_the_plain_ones(fought: dict[str, Fought]) -> None:
    """The order of docs/comparison.md."""
    assert max(fought[name].ours for name in PLAIN) < min(fought[name].ours for name in ("hold", "auto"))
