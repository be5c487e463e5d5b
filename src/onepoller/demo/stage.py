"""What all acts share: the fake server, the bots, the screen, and how long things take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from onepoller.demo.bots import PATIENCE, Bot, BotFailed
from onepoller.demo.fates import Fates, fates, total
from onepoller.demo.screen import Screen
from onepoller.demo.verdict import Finding
from onepoller.testing.botapi import Control, Pushed, Row, undelivered

PLAIN_BOT = 7000000101
GUARDED_BOT = 7000000102
LOOK_EVERY = 0.1
"""How often the moving numbers are made anew, seconds."""


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
    slack: float = 1.0
    """Times the bounds: a test, on a machine that does other things too, judges order and not speed."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything an act needs. Bots that have not begun yet wait in `spare`."""

    control: Control
    screen: Screen
    pace: Pace
    plain: list[Bot]
    guarded: list[Bot] = field(default_factory=list)
    """Those that run, the one that polls and its standbys."""
    gone: list[Bot] = field(default_factory=list)
    spare: list[Bot] = field(default_factory=list)

    def rows(self, *, since: float = 0.0, bot_id: int = GUARDED_BOT) -> list[Row]:
        """Give the requests of a bot that were not over before a moment."""
        return [row for row in self.control.rows(bot_id) if (row.ended_at or row.closed_at or since) >= since]

    def pushed(self, *, since: float, bot_id: int = GUARDED_BOT) -> list[Pushed]:
        """Give the messages sent from a moment on."""
        return [made for made in self.control.pushed(bot_id) if made.at >= since]

    def join(self, role: str) -> Bot:
        """Have the next spare bot begin, and wait until it has this role."""
        bot = self.spare.pop(0)
        self.guarded.append(bot)
        bot.go()
        bot.wait_role(role)
        return bot

    def leave(self, bot: Bot) -> None:
        """Note that a bot was ended."""
        bot.ended()
        self.guarded.remove(bot)
        self.gone.append(bot)

    def named(self, name: str) -> Bot:
        """Give the running bot of a name in the journal."""
        found = next((bot for bot in self.guarded if bot.name == name), None)
        if found is None:
            raise BotFailed(f"{name or 'nobody'} polls, and is none of the bots that run")
        return found

    @contextmanager
    def load(self, bot_id: int, *, every: float, streams: int = 1) -> Iterator[float]:
        """Have messages come in until the block ends; gives the moment of the first one.

        Where the block fails the run is over, and so may be the server: on Ctrl-C it ends by itself.
        """
        since = self.control.now()
        for _ in range(streams):
            self.control.push(bot_id, 100_000, every=every)
        yield since
        self.control.stop_push(bot_id)

    def settled(self, *, since: float) -> Fates:
        """Wait until all messages are delivered and all that living bots have got is handled; count."""
        self._until(lambda: not undelivered(self.control.rows(GUARDED_BOT), self.pushed(since=since)))
        rows, pushed = self.control.rows(GUARDED_BOT), self.pushed(since=since)
        wanted = {made.update_id for made in pushed}
        for bot in self.guarded:
            bot.wait_handled({u for row in rows if row.poller == bot.name for u in row.update_ids} & wanted)
        return fates(rows, pushed, total(bot.handled for bot in [*self.guarded, *self.gone]))

    def _until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                return  # what is missing is counted as missing
            time.sleep(LOOK_EVERY)

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
