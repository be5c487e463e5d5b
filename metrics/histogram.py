"""A histogram with fixed buckets. It does not lock: its owner does."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Self


class Histogram:
    """Counts of observations by upper bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value. A bound belongs to the bucket below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> Self:
        """Give one that does not change any more."""
        other = type(self)(self.bounds)
        other.counts = self.counts.copy()
        other.total = self.total
        return other

    def buckets(self) -> list[tuple[str, int]]:
        """Upper bounds as Prometheus writes them (`60.0`, never `60`), and the counts up to each."""
        labels = [*(repr(bound) for bound in self.bounds), "+Inf"]
        return list(zip(labels, accumulate(self.counts), strict=True))
