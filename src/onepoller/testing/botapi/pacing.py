"""The conflict routine: every 409 of one token goes through it, and it decides when each is sent.

At most one 409 in three seconds is sent at once; every other one is held for exactly three seconds, and being
held does not move the window. All four texts share it. A newcomer that is refused (`Rules.newcomer_refused`)
is outside of it.
"""

from onepoller.testing.botapi.query import Desk, Query
from onepoller.testing.botapi.replies import CONFLICTS

LONG_AGO = 100.0


class Conflicts:
    """When the next 409 of this token may be sent at once."""

    def __init__(self, desk: Desk, now: float) -> None:
        self._desk = desk
        self._next_at = now - LONG_AGO

    def send(self, query: Query, tag: str, now: float) -> None:
        """Answer a query 409, now or three seconds later."""
        query.row.evicted_at = now
        query.row.tag = tag
        pause = self._desk.rules.conflict_pause
        if now >= self._next_at:
            self._next_at = now + pause
            self._send(query, tag, now)
        else:
            self._desk.journal.changed(query.row)
            self._desk.timers.at(now + pause, lambda at: self._send(query, tag, at))

    def refuse(self, query: Query, tag: str, now: float) -> None:
        """Answer a query 409 now, and let the window be."""
        query.row.evicted_at = now
        query.row.tag = tag
        self._send(query, tag, now)

    def _send(self, query: Query, tag: str, now: float) -> None:
        self._desk.answer(query, CONFLICTS[tag], "conflict", now)
