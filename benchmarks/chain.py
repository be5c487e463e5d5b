"""A holder and a standby, again and again: the holder is killed, the standby becomes the next holder.

So every holder and every standby is a process that was started for this one run. Several chains, one for each
contender, take turns: whatever the machine does meanwhile, it does to all of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from programs import Program

PHASE = (0.03, 0.13)
"""Seconds between two kills, at least and at most: what a kill brings is over by then, but for who sleeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """One run. Moments on CLOCK_MONOTONIC, in seconds."""

    killed: float
    """Just before the kill."""
    claimed: float
    successor: Program


class Chain:
    """One contender. `start` starts a process that says `waiting` when it waits, `claimed` when it has it."""

    def __init__(self, how: str, start: Callable[[], Program]) -> None:
        self.how = how
        self.resident_kb = 0
        """Of the largest holder."""
        self._start = start
        self._killed = 0.0
        self._holder: Program | None = None
        self._standby: Program | None = None

    def start_first(self) -> Program:
        """Start the first holder, and give it once it holds."""
        self._holder = self._start()
        self._holder.hear("claimed")
        return self._holder

    def start_next(self) -> None:
        """Start the next standby."""
        self._standby = self._start()

    def await_standby(self) -> None:
        """Return once the standby waits."""
        assert self._standby is not None
        self._standby.hear("waiting")

    def kill(self) -> None:
        """Kill the holder."""
        assert self._holder is not None
        self.resident_kb = max(self.resident_kb, self._holder.resident_kb)
        self._killed = time.monotonic()
        self._holder.kill()

    def takeover(self) -> Takeover:
        """Wait until the standby says that it has the claim; from then on it is the holder."""
        holder, standby = self._holder, self._standby
        assert holder is not None
        assert standby is not None
        claimed = standby.hear("claimed")
        holder.end()
        self._holder, self._standby = standby, None
        return Takeover(killed=self._killed, claimed=claimed, successor=standby)

    def end(self) -> None:
        """End both processes."""
        for program in (self._holder, self._standby):
            if program is not None:
                program.end()


def play_round(chains: Sequence[Chain], chance: random.Random) -> list[tuple[Chain, Takeover]]:
    """Start every chain's standby, then kill the holders one after another, in random order and rhythm.

    Fasteners comes last: it asks ever less often, and has reached its slowest by then, as after a long wait.
    """
    for chain in chains:
        chain.start_next()
    for chain in chains:
        chain.await_standby()
    for chain in sorted(chains, key=lambda chain: (chain.how == "fasteners", chance.random())):
        time.sleep(chance.uniform(*PHASE))
        chain.kill()
    return [(chain, chain.takeover()) for chain in chains]
