"""A machine's clocks: how fast they run, and what they show, against the world's own time.

Monotonic and boot clock run at `rate`; while the machine sleeps the first stands still. The wall clock may
jump; nothing that is decided may depend on it.
"""

from __future__ import annotations

import math
from typing import Protocol

WALL_AT_START = 1_800_000_000.0
_BOOTED = 1000.0
"""What the clocks show when the world begins."""


class Time(Protocol):
    """The world's own."""

    now: float


class Machine:
    """A host."""

    def __init__(self, name: str, time: Time, *, rate: float = 1.0) -> None:
        self.name = name
        self.rate = rate
        self.is_asleep = False
        self.wall_jumped = 0.0
        self._time = time
        self._since = time.now
        self._monotonic = _BOOTED
        self._slept = 0.0

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC: stands still while the machine sleeps."""
        if self.is_asleep:
            return self._monotonic
        return self._monotonic + (self._time.now - self._since) * self.rate

    def boot(self) -> float:
        """CLOCK_BOOTTIME."""
        asleep = (self._time.now - self._since) * self.rate if self.is_asleep else 0.0
        return self.monotonic() + self._slept + asleep

    def wall(self) -> float:
        """What people read."""
        return WALL_AT_START + self.boot() - _BOOTED + self.wall_jumped

    def when(self, monotonic: float) -> float:
        """The world's time at which the monotonic clock will show this."""
        if self.is_asleep:
            return math.inf
        return self._since + (monotonic - self._monotonic) / self.rate

    def set_rate(self, rate: float) -> None:
        """Let the clocks run faster or slower from now on."""
        self._settle()
        self.rate = rate

    def sleep(self) -> None:
        """Close the lid."""
        self._settle()
        self.is_asleep = True

    def wake(self) -> None:
        """Open it."""
        self._settle()
        self.is_asleep = False

    def _settle(self) -> None:
        slept = (self._time.now - self._since) * self.rate if self.is_asleep else 0.0
        self._monotonic = self.monotonic()
        self._slept += slept
        self._since = self._time.now
