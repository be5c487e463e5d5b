"""Keeps a burst of log lines short: so many lines a second, then one that sums up the rest. Pure.

Ten thousand takeovers at once are one thing that happened, not ten thousand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

LINES = 20
WINDOW = 1.0
"""Seconds. Within a window this many lines pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The lines that a burst was spared, by what they told."""

    told: tuple[tuple[str, int], ...]
    level: int
    """The gravest of their levels."""

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(count for _, count in self.told)


class Flood:
    """A gate for lines. It does not lock."""

    def __init__(self) -> None:
        self.ends = 0.0
        """When the window ends that was opened last."""
        self._passed = 0
        self._held: Counter[str] = Counter()
        self._level = 0

    def passes(self, *, now: float, what: str, level: int) -> bool:
        """Say whether a line may be written; if not, it is counted. Ask for `due` first."""
        if now >= self.ends:
            self.ends, self._passed = now + WINDOW, 0
        self._passed += 1
        if self._passed <= LINES:
            return True
        self._held[what] += 1
        self._level = max(self._level, level)
        return False

    def is_full(self, now: float) -> bool:
        """Whether the next line of this window would be held back."""
        return now < self.ends and self._passed >= LINES

    def counts(self, *, now: float, what: str) -> bool:
        """Count a line that is held back like those before it, without its level. False: it may pass."""
        if not self.is_full(now) or not self._held:
            return False
        self._held[what] += 1
        return True

    def due(self, *, now: float) -> Summary | None:
        """Give the summary once a window with held lines has ended."""
        if not self._held or now < self.ends:
            return None
        summary = Summary(told=tuple(self._held.most_common()), level=self._level)
        self._held.clear()
        self._level = 0
        return summary
