"""What all acts share: the fake server, the bots, the screen, and how long things take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onepoller.demo.crew import LOOK_EVERY, Crew
from onepoller.demo.languages import Language
from onepoller.demo.screen import Screen
from onepoller.demo.verdict import Finding
from onepoller.testing.botapi import Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the acts are, in seconds; a test takes less of each."""

    fight: float = 10.0
    guarded: float = 5.0
    kills: int = 5
    deploys: int = 3
    between: float = 0.6
    """Before each kill and each change of a deploy."""
    rival: float = 10.0
    pairs: int = 3
    """How many of the proxies, with their bots, are killed."""
    slack: float = 1.0
    """Times the bounds: a test, on a machine that does other things too, judges order and not speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything an act needs."""

    control: Control
    screen: Screen
    pace: Pace
    plain: Crew
    guarded: Crew
    language: Language
    """Of the bots of act 6."""
    bare: Crew
    """They poll without a proxy."""
    pairs: Crew
    """They poll each through a proxy of its own."""

    def watch(self, seconds: float, lines: Callable[[], Sequence[str]]) -> None:
        """Let time pass while numbers are shown."""
        start = time.monotonic()
        with self.screen.moving() as show:
            while (passed := time.monotonic() - start) < seconds:
                show(passed / seconds, lines())
                time.sleep(LOOK_EVERY)
            show(1.0, lines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act: what is said before it, and what is done."""

    title: str
    story: str
    play: Callable[[Stage], list[Finding]]
