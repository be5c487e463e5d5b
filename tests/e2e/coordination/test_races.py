"""Many processes at once, forked from one warm parent: never two pollers, never none beyond the bound."""

from __future__ import annotations

import random
import time

import pytest

from onepoller.testing.botapi import Row, conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots, Herd

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
MODES = ["standby", "takeover", "replace"]
BOUND = 5.0
"""How long nobody may poll, with fifty processes on two cores; the real bounds are for the benchmarks."""
KILLS = 2
SETTLED_EVERY = 10
"""In every tenth round all have said what they are before the first is killed; else they still arrive."""


class Race:
    """Rounds of many processes on one bot, from one seed."""

    def __init__(self, telegram: Telegram, herd: Herd, *, seed: int, size: int) -> None:
        self.telegram = telegram
        self.herd = herd
        self.size = size
        self.random = random.Random(seed)
        self._killed: dict[str, int] = {}
        """The last request that had reached the server when this process was killed."""

    def play(self, round_number: int) -> None:
        """Start all at once, kill some of them, the poller too, judge the journal, and leave stale files."""
        before = self.telegram.last()
        for number in range(self.size):
            self.herd.fork(
                f"{round_number}.{number}", "--timeout", "10", start=self.random.choice(MODES), lease=10
            )
        first = self.telegram.wait_for(lambda row: row.is_poll, after=before)
        if round_number % SETTLED_EVERY == 0:
            self.herd.wait_settled()
        for _ in range(KILLS):
            time.sleep(self.random.uniform(0.0, 0.2))
            self._kill_some()
        self._judge(self._rows(before), since=first.arrived_at)
        self.herd.clear()

    def _kill_some(self) -> None:
        """`kill -9` of whoever polls, or of anybody, in the middle of whatever it does."""
        poller = self.telegram.poller()
        seen = self.telegram.last()
        if self.random.random() < 0.3:
            other = self.random.choice(sorted(self.herd.living - {poller}))
            self._killed[other] = seen
            self.herd.kill(other)
            return
        self._killed[poller] = seen
        self.herd.kill(poller)
        self.telegram.wait_for(
            lambda row: row.is_poll and row.poller in self.herd.living, after=seen, timeout=2 * BOUND
        )

    def _rows(self, before: int) -> list[Row]:
        return [row for row in polls(self.telegram.rows()) if row.seq > before]

    def _judge(self, rows: list[Row], *, since: float) -> None:
        found = overlaps(rows)
        # To tell apart: a killed process's lock is freed before its connection is closed; a living one
        # has handed over too early.
        told = [(one.first, self._killed.get(one.first.poller), one.second.seq) for one in found]
        assert (found, conflicts(rows)) == ([], []), f"a poll, killed after, beside: {told}"
        assert self.telegram.longest_gap(since=since) < BOUND


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(20, id="20 rounds"),
        pytest.param(200, id="200 rounds", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
def test_fifty_processes_race(telegram: Telegram, bots: Bots, rounds: int) -> None:
    """Every round has one poller at any time, whoever starts how and whoever is killed."""
    race = Race(telegram, bots.herd("bare"), seed=rounds, size=50)
    for number in range(rounds):
        race.play(number)


def test_twelve_frameworks_race(telegram: Telegram, bots: Bots) -> None:
    """The same with python-telegram-bot."""
    Race(telegram, bots.herd("ptb"), seed=12, size=12).play(0)
