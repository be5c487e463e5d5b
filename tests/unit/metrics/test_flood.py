"""The gate for bursts of log lines."""

from __future__ import annotations

import logging

from onepoller.metrics.flood import LINES, Flood, Summary


def burst(flood: Flood, lines: int, *, now: float, what: str = "polling", level: int = logging.INFO) -> int:
    """Ask for many lines at once, and give how many passed."""
    return sum(flood.passes(now=now, what=what, level=level) for _ in range(lines))


def test_the_first_lines_of_a_second_pass() -> None:
    """The rest is held."""
    assert burst(Flood(), 10_000, now=5.0) == LINES


def test_a_new_second_is_a_new_chance() -> None:
    """Slow news are all told."""
    flood = Flood()

    assert [burst(flood, LINES, now=now) for now in (5.0, 6.0, 7.0)] == [LINES] * 3


def test_held_lines_are_summed_up_when_the_second_has_ended() -> None:
    """Once, the most frequent first, at the gravest level."""
    flood = Flood()
    burst(flood, LINES + 3, now=5.0)
    burst(flood, 2, now=5.5, what="standby", level=logging.WARNING)

    assert flood.due(now=5.9) is None
    assert flood.due(now=6.0) == Summary(told=(("polling", 3), ("standby", 2)), level=logging.WARNING)
    assert flood.due(now=7.0) is None


def test_nothing_held_is_nothing_due() -> None:
    """No empty summaries."""
    flood = Flood()
    burst(flood, LINES, now=5.0)

    assert flood.due(now=6.0) is None
