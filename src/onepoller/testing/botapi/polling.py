"""getUpdates of one token: which poll parks, what ends it, and what a call takes from the queue.

At most one poll is parked. A new poll that itself has to park evicts it; one that finds updates, or will not
wait, leaves it alone. So it is the older poll that is answered 409. That its client has gone is not noticed:
the poll stays parked until its deadline, an update, or its eviction. `Rules.newcomer_refused` turns the first
rule round while the parked poll is young.
"""

from onepoller.testing.botapi.pacing import LONG_AGO, Conflicts
from onepoller.testing.botapi.parameters import Arguments, clamped, integer_argument
from onepoller.testing.botapi.query import Desk, Query
from onepoller.testing.botapi.replies import EMPTY, raw_result
from onepoller.testing.botapi.tqueue import UpdateQueue, updates_json

MOST_LIMIT = 100
LONGEST_TIMEOUT = 50
REPEAT_WITHIN = 3.0  # a call that repeats its offset so soon waits as long
REPEAT_TIMEOUT = 3
HURRY_WITHIN = 0.5  # and one that repeats it so soon gets one update


def note_parameters(query: Query, arguments: Arguments) -> None:
    """Write into the row what a getUpdates asks for."""
    row = query.row
    row.offset = integer_argument(arguments, "offset", 0)
    row.limit = clamped(arguments, "limit", MOST_LIMIT, low=1, high=MOST_LIMIT)
    row.timeout = clamped(arguments, "timeout", 0, low=0, high=LONGEST_TIMEOUT)


class Polls:
    """The parked poll of one token, and the memory of its last call."""

    def __init__(self, desk: Desk, queue: UpdateQueue, conflicts: Conflicts, now: float) -> None:
        self._desk = desk
        self._queue = queue
        self._conflicts = conflicts
        self._last_offset = -1
        self._last_start = now - LONG_AGO
        self.parked: Query | None = None

    def receive(self, query: Query, now: float) -> None:
        """Answer a getUpdates, or park it. Its parameters are in its row already."""
        row = query.row
        assert row.offset is not None
        assert row.limit is not None
        assert row.timeout is not None
        offset, limit, timeout = row.offset, row.limit, row.timeout
        if offset == self._last_offset:
            if timeout < REPEAT_TIMEOUT and now < self._last_start + REPEAT_WITHIN:
                timeout = REPEAT_TIMEOUT
            if now < self._last_start + HURRY_WITHIN:
                limit = 1
        self._last_offset = offset
        self._last_start = now
        if offset < 0:
            row.confirmed += self._queue.keep_newest(-offset)
        query.offset = offset if offset > 0 else self._queue.head
        query.limit = limit
        if not self._take(query, now):
            self._wait(query, timeout, now)

    def update_queued(self, now: float) -> None:
        """Wake the parked poll: 1 ms after the last of several updates, at most 2 ms after the first."""
        query = self.parked
        if query is None:
            return
        if not query.is_woken:
            query.is_woken = True
            query.hard_end = min(now + self._desk.rules.wake_at_most, query.hard_end)
        self._schedule(query, min(now + self._desk.rules.wake_after, query.hard_end))

    def evict(self, tag: str, now: float) -> None:
        """End the parked poll, if there is one, with a 409."""
        query = self._unpark()
        if query is not None:
            self._conflicts.send(query, tag, now)

    def release(self, now: float) -> None:
        """End the parked poll, if there is one, with what the queue holds: the token goes out of service."""
        query = self._unpark()
        if query is not None:
            self._finish(query, now)

    def _wait(self, query: Query, timeout: int, now: float) -> None:
        if timeout == 0:
            self._desk.answer(query, EMPTY, "empty", now)
            return
        # The one place that decides who of two loses: the older one, which is parked, if no rule protects it.
        if self._is_refused(now):
            self._conflicts.refuse(query, "G", now)
            return
        self.evict("G", now)
        self.parked = query
        query.row.parked_at = now
        query.hard_end = now + timeout
        self._desk.journal.changed(query.row)
        self._schedule(query, query.hard_end)

    def _is_refused(self, now: float) -> bool:
        """Whether the parked poll is so young that a newcomer has to go."""
        limit = self._desk.rules.newcomer_refused
        if limit is None or self.parked is None or self.parked.row.parked_at is None:
            return False
        return now < self.parked.row.parked_at + limit

    def _schedule(self, query: Query, at: float) -> None:
        if query.timer is not None:
            query.timer.cancel()
        query.timer = self._desk.timers.at(at, self._end)

    def _end(self, now: float) -> None:
        self.release(now)

    def _unpark(self) -> Query | None:
        query, self.parked = self.parked, None
        if query is not None and query.timer is not None:
            query.timer.cancel()
            query.timer = None
        return query

    def _finish(self, query: Query, now: float) -> None:
        if query.offset == 0:  # parked before the queue had its first update
            query.offset = self._queue.head
        if not self._take(query, now):
            self._desk.answer(query, EMPTY, "empty", now)

    def _take(self, query: Query, now: float) -> bool:
        """Confirm, and answer if something was found."""
        fetched = self._queue.fetch(query.offset, limit=query.limit, now=self._desk.unix(now))
        row = query.row
        row.confirmed += fetched.confirmed
        if not fetched.updates:
            return False
        row.update_ids = tuple(update.id for update in fetched.updates)
        self._desk.answer(query, raw_result(updates_json(fetched.updates)), "updates", now)
        return True
