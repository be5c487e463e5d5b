"""Real programs that poll the same bot and know nothing of onepoller, and what the server says of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from onepoller.testing.botapi import Row, conflicts, delivered, polls
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import PROGRAMS, Bot, Bots

PROGRAM = PROGRAMS / "programs" / "rival.py"
TRIAL = 8.0
"""So long the polls of a newcomer are on trial, in all: `coordination/tenure.py`."""
_LOOK_EVERY = 0.05
each_pair = pytest.mark.parametrize(
    ("kind", "rival"),
    [
        # Each of ours and each foreign framework once; `make soak` has the other pairs.
        ("ptb", "aiogram"),
        ("aiogram", "ptb"),
        ("bare", "telebot"),
        pytest.param("ptb", "ptb", marks=pytest.mark.soak),
        pytest.param("aiogram", "aiogram", marks=pytest.mark.soak),
        pytest.param("bare", "aiogram", marks=pytest.mark.soak),
        pytest.param("bare", "ptb", marks=pytest.mark.soak),
    ],
)


class Foreigners:
    """Starts them; they end with the bots of their test."""

    def __init__(self, bots: Bots, folder: Path) -> None:
        self._bots = bots
        self._folder = folder

    def ready(self, kind: str, name: str = "rival") -> Bot:
        """Start one that has imported its framework and polls when it is told `go`."""
        telegram = self._bots.telegram
        command = [sys.executable, str(PROGRAM), kind, name, telegram.url, telegram.token]
        made = Bot(name, command, self._bots.environment({}), self._folder / f"{name}.log")
        self._bots._all.append(made)
        return made

    def polling(self, kind: str, name: str = "rival") -> Bot:
        """Start one and wait until its poll is parked."""
        made = self.ready(kind, name)
        made.tell("go")
        self._bots.telegram.wait_parked(name)
        return made


def wait_rows(
    telegram: Telegram, holds: Callable[[Sequence[Row]], bool], *, timeout: float = PATIENCE
) -> list[Row]:
    """Wait until the journal as a whole satisfies a condition; gives it."""
    end = time.monotonic() + timeout
    while not holds(rows := telegram.rows()):
        assert time.monotonic() < end, [row for row in rows if row.is_poll][-8:]
        time.sleep(_LOOK_EVERY)
    return rows


def polled_for(rows: Sequence[Row], name: str) -> float:
    """Seconds in which answered polls of this poller were open."""
    return sum(
        row.ended_at - row.arrived_at
        for row in polls(rows)
        if row.poller == name and row.ended_at is not None and row.how in ("empty", "updates")
    )


def wait_established(telegram: Telegram, name: str, *, tenure: float = 0.0) -> None:
    """Wait until nobody has contradicted it for as long as a trial takes, and then for so many seconds."""
    wait_rows(
        telegram,
        lambda rows: polled_for(rows, name) >= TRIAL + tenure,
        timeout=TRIAL + 1.2 * tenure + PATIENCE,
    )


def seen_conflicts(rows: Sequence[Row], name: str) -> list[Row]:
    """The 409s that this poller saw."""
    return [row for row in conflicts(rows) if row.poller == name]


def given(rows: Sequence[Row], name: str) -> set[int]:
    """What this poller was given on connections that it still had open."""
    return set(delivered(rows).get(name, ()))


def counted(address: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, as the process shows them now."""
    text = httpx.get(f"http://{address}/metrics", trust_env=False).raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def waited(telegram: Telegram, update: int, name: str, *, since: float = 0.0) -> float:
    """Seconds from an update, or from a later moment, until this poller was given it."""
    made = next(made.at for made in telegram.control.pushed(telegram.bot_id) if made.update_id == update)
    ended = [
        row.ended_at
        for row in polls(telegram.rows())
        if row.poller == name and not row.is_ghost and update in row.update_ids and row.limit != 1
    ]
    assert ended[0] is not None
    return ended[0] - max(made, since)
