"""One bot at the fake server, as a test sees it: what it pushes, and what stands in the journal."""

from __future__ import annotations

from collections.abc import Callable

from onepoller.testing.botapi import Control, Pushed, Row, gaps, polls

PATIENCE = 45.0
"""How long anything that must happen may take before a test fails. No bound is judged by it."""
AT_ONCE = 2.5
"""What takes less, in seconds, has waited for no time-out, also on a machine that is too busy."""


class Telegram:
    """One bot at the fake server."""

    def __init__(self, control: Control, bot_id: int) -> None:
        self.control = control
        self.bot_id = bot_id
        self.token = f"{bot_id}:test-test-test-test-test-test-test-"

    def __repr__(self) -> str:
        return f"<Telegram with bot {self.bot_id}>"

    @property
    def url(self) -> str:
        """Where the Bot API is."""
        return self.control.url

    def push(self, count: int = 1, *, every: float = 0.0) -> list[Pushed]:
        """Send the bot messages, now or one every so many seconds."""
        return self.control.push(self.bot_id, count, every=every)

    def pushed(self) -> list[int]:
        """The ids of all messages that were sent to the bot."""
        return [made.update_id for made in self.control.pushed(self.bot_id) if made.update_id is not None]

    def rows(self) -> list[Row]:
        """The bot's journal."""
        return self.control.rows(self.bot_id)

    def wait_for(self, predicate: Callable[[Row], bool], *, after: int = 0, timeout: float = PATIENCE) -> Row:
        """Wait for a row beyond the number `after`."""
        return self.control.wait_for(
            lambda row: row.bot_id == self.bot_id and predicate(row), after=after, timeout=timeout
        )

    def wait_parked(self, name: str, *, after: int = 0, timeout: float = PATIENCE) -> Row:
        """Wait until this poller has a poll that parks."""
        return self.wait_for(
            lambda row: row.is_poll and row.poller == name and row.parked_at is not None,
            after=after,
            timeout=timeout,
        )

    def wait_polled_by_another(self, name: str, *, after: int = 0, timeout: float = PATIENCE) -> Row:
        """Wait for a poll of anybody else."""
        return self.wait_for(lambda row: row.is_poll and row.poller != name, after=after, timeout=timeout)

    def last(self) -> int:
        """The number of the last row: what comes later is new."""
        return max((row.seq for row in self.rows()), default=0)

    def poller(self) -> str:
        """Whoever polled last, or nobody."""
        return next((row.poller for row in reversed(polls(self.rows()))), "")

    def longest_gap(self, *, since: float) -> float:
        """The longest time, from a moment until now, in which nobody polled."""
        found = gaps(self.rows(), start=since, end=self.control.now())
        return max((gap.seconds for gap in found), default=0.0)
