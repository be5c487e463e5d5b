"""Numbers judged: percentiles of samples, and bars that a number meets or misses. Pure.

A percentile is a sample that was measured (nearest rank), never a value between two of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Rows = list[tuple[str, ...]]
"""A table; its head is the first row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One promise in numbers. `at_least`: more is better; otherwise the limit is an upper one."""

    name: str
    limit: float
    measured: float
    unit: str
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the measured number is on the right side; a number that is none never is."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def wanted(self) -> str:
        """The limit, to read."""
        return f"{'>=' if self.at_least else '<='} {number(self.limit)} {self.unit}"


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that so many percent of all samples do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def spread(samples: Sequence[float]) -> dict[str, float]:
    """What a table shows of samples."""
    return {
        "count": len(samples),
        "min": min(samples),
        "p50": percentile(samples, 50),
        "p90": percentile(samples, 90),
        "p99": percentile(samples, 99),
        "max": max(samples),
    }


def added(bare: Sequence[float], guarded: Sequence[float]) -> dict[str, float]:
    """What `guarded` costs more than `bare`: the median of the differences of those that were run in turn."""
    differences = [second - first for first, second in zip(bare, guarded, strict=True)]
    return {
        "bare": statistics.median(bare),
        "guarded": statistics.median(guarded),
        "added": statistics.median(differences),
        "lower_quartile": percentile(differences, 25),
        "upper_quartile": percentile(differences, 75),
    }


def number(value: float) -> str:
    """A number to read: three digits that count, no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
