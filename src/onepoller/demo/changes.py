"""How polling passed from one poller to the next, read from the server's journal alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onepoller.demo.verdict import Finding, none_of
from onepoller.testing.botapi import Row, conflicts, overlaps, polls


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One poller's last poll ended, and another's first one arrived; moments on the server's clock."""

    successor: str
    ended_at: float
    began_at: float

    @property
    def gap(self) -> float:
        """How long nobody polled."""
        return max(self.began_at - self.ended_at, 0.0)


def poller(rows: Iterable[Row]) -> str:
    """Give whoever polled last, or nobody."""
    return next((row.poller for row in reversed(polls(rows))), "")


def change(rows: Iterable[Row], of: str, *, since: float) -> Change | None:
    """Find the first poll of anybody else after a moment, and how the last poll of `of` had ended.

    Where the connection of that last poll was not seen to end (it had been answered before, and no other was
    on its way), `since` stands for the end: that makes the gap longer, never shorter.
    """
    rows = polls(rows)
    later = next((row for row in rows if row.poller != of and row.arrived_at >= since), None)
    if later is None:
        return None
    last = next((row for row in reversed(rows) if row.poller == of and row.seq < later.seq), None)
    moments = [] if last is None else [moment for moment in (last.ended_at, last.closed_at) if moment]
    ended_at = max(since, min(moments, default=since))
    return Change(successor=later.poller, ended_at=ended_at, began_at=later.arrived_at)


def order(rows: Iterable[Row]) -> list[Finding]:
    """Judge what must never happen, however long it takes: two pollers, and a 409 that a bot sees."""
    rows = list(rows)
    return [
        none_of("two pollers at the same time", len(overlaps(rows))),
        none_of("409 answers", len(conflicts(rows)), of=f"{len(polls(rows))} polls"),
    ]
