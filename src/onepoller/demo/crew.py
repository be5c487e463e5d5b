"""The bots of one token, those that run and those that do not, and what became of their messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from onepoller.demo.bots import PATIENCE, Bot, BotFailed
from onepoller.demo.fates import Fates, fates, given_last, total
from onepoller.testing.botapi import Control, Pushed, Row, undelivered

LOOK_EVERY = 0.1
"""How often what is waited for is looked at, seconds."""


@dataclass(slots=True, kw_only=True)
class Crew:
    """Bots that share a token."""

    control: Control
    bot_id: int
    spare: list[Bot]
    """Those that have not begun yet."""
    running: list[Bot] = field(default_factory=list)
    gone: list[Bot] = field(default_factory=list)

    def rows(self, *, since: float = 0.0) -> list[Row]:
        """Give the requests that were not over before a moment."""
        rows = self.control.rows(self.bot_id)
        return [row for row in rows if (row.ended_at or row.closed_at or since) >= since]

    def pushed(self, *, since: float) -> list[Pushed]:
        """Give the messages sent from a moment on."""
        return [made for made in self.control.pushed(self.bot_id) if made.at >= since]

    def begin(self) -> Bot:
        """Have the next spare bot begin."""
        bot = self.spare.pop(0)
        self.running.append(bot)
        bot.go()
        return bot

    def join(self, role: str) -> Bot:
        """Have the next spare bot begin, and wait until it has this role."""
        bot = self.begin()
        bot.wait_role(role)
        return bot

    def leave(self, bot: Bot) -> None:
        """Note that a bot was ended."""
        bot.ended()
        self.running.remove(bot)
        self.gone.append(bot)

    def named(self, name: str) -> Bot:
        """Give the running bot of a name in the journal."""
        found = next((bot for bot in self.running if bot.name == name), None)
        if found is None:
            raise BotFailed(f"{name or 'nobody'} polls, and is none of the bots that run")
        return found

    @contextmanager
    def load(self, *, every: float, streams: int = 1) -> Iterator[float]:
        """Have messages come in until the block ends; gives the moment of the first one.

        Where the block fails the run is over, and so may be the server: on Ctrl-C it ends by itself.
        """
        since = self.control.now()
        for _ in range(streams):
            self.control.push(self.bot_id, 100_000, every=every)
        yield since
        self.control.stop_push(self.bot_id)

    def settled(self, *, since: float) -> Fates:
        """Wait until all messages are delivered and all that living bots have got is handled; count."""
        _until(lambda: not undelivered(self.control.rows(self.bot_id), self.pushed(since=since)))
        rows, pushed = self.control.rows(self.bot_id), self.pushed(since=since)
        wanted = {made.update_id for made in pushed}
        last = given_last(rows)
        for bot in self.running:
            bot.wait_handled({update for update, name in last.items() if name == bot.name} & wanted)
        return fates(rows, pushed, total(bot.handled for bot in [*self.running, *self.gone]))


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return  # what is missing is counted as missing
        time.sleep(LOOK_EVERY)
