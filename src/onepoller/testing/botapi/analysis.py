"""Questions to a journal: were there two pollers, who got what, how long did nobody poll.

Pure functions on rows. They take what `Journal.rows()` or `Control.rows()` gives, of one bot or of many.
An answer that went to a connection which its client had closed (a ghost) counts as nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onepoller.testing.botapi.journal import Pushed, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two pollers: `second` arrived while `first`, of another poller, was open, and both connections too.

    `first_offset` and the like are in the rows. `is_parking` is false for a second poll that was answered at
    once, such as a peek or a final confirm: those evict nobody.
    """

    bot_id: int | None
    at: float
    first: Row
    second: Row

    @property
    def is_parking(self) -> bool:
        """Whether the second poll parked, and so evicted the first."""
        return self.second.parked_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which nobody polled a bot."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one poller did, as counts."""

    polls: int = 0
    conflicts: int = 0
    ghosts: int = 0
    updates: int = 0
    overlaps: int = 0


def polls(rows: Iterable[Row]) -> list[Row]:
    """Give the getUpdates calls, in the order of arrival."""
    return sorted((row for row in rows if row.is_poll), key=lambda row: row.seq)


def overlaps(rows: Iterable[Row]) -> list[Overlap]:
    """Give each pair of polls of one bot by different pollers that were open at the same time."""
    by_seq = {row.seq: row for row in rows}
    return [
        Overlap(bot_id=second.bot_id, at=second.arrived_at, first=first, second=second)
        for second in polls(by_seq.values())
        for first in (by_seq[seq] for seq in second.beside if seq in by_seq)
        if first.poller != second.poller
    ]


def conflicts(rows: Iterable[Row]) -> list[Row]:
    """Give the 409 answers that a client could see."""
    return [row for row in polls(rows) if row.how == "conflict" and not row.is_ghost]


def ghosts(rows: Iterable[Row]) -> list[Row]:
    """Give the 409 answers that went to closed connections."""
    return [row for row in polls(rows) if row.how == "conflict" and row.is_ghost]


def delivered(rows: Iterable[Row]) -> dict[str, list[int]]:
    """Give, for each poller, the update ids it was sent, in order, with repetitions."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for row in polls(rows):
        if not row.is_ghost:
            ids[row.poller].extend(row.update_ids)
    return {poller: given for poller, given in ids.items() if given}


def duplicates(rows: Iterable[Row]) -> dict[int, int]:
    """Give the update ids of one bot that were sent more than once, to whomever, with how often."""
    counted = Counter(update for ids in delivered(rows).values() for update in ids)
    return {update: times for update, times in sorted(counted.items()) if times > 1}


def undelivered(rows: Iterable[Row], pushed: Iterable[Pushed]) -> list[Pushed]:
    """Give the updates that were pushed and never sent to anybody, filtered ones too."""
    given = {(row.bot_id, update) for row in polls(rows) if not row.is_ghost for update in row.update_ids}
    return [made for made in pushed if (made.bot_id, made.update_id) not in given]


def gaps(rows: Iterable[Row], *, start: float, end: float) -> list[Gap]:
    """Give the times between two moments in which no poll was open, for one bot.

    A poll is open from its arrival until its answer or until its client is gone.
    """
    free_from = start
    found: list[Gap] = []
    for row in polls(rows):
        if row.arrived_at > free_from:
            found.append(Gap(start=free_from, end=min(row.arrived_at, end)))
        ends = [moment for moment in (row.ended_at, row.closed_at) if moment is not None]
        free_from = max(free_from, min(ends, default=end))
        if free_from >= end:
            break
    if free_from < end:
        found.append(Gap(start=free_from, end=end))
    return [gap for gap in found if gap.end > gap.start]


def longest_gap(rows: Iterable[Row], *, start: float, end: float) -> float:
    """Give the longest time in which no poll of the bot was open."""
    return max((gap.seconds for gap in gaps(rows, start=start, end=end)), default=0.0)


def tallies(rows: Sequence[Row]) -> dict[str, Tally]:
    """Count, for each poller."""
    counted: defaultdict[str, Tally] = defaultdict(Tally)
    for row in polls(rows):
        tally = counted[row.poller]
        tally.polls += 1
        if row.how == "conflict":
            tally.conflicts += not row.is_ghost
            tally.ghosts += row.is_ghost
        if not row.is_ghost:
            tally.updates += len(row.update_ids)
    for overlap in overlaps(rows):
        counted[overlap.first.poller].overlaps += 1
        counted[overlap.second.poller].overlaps += 1
    return dict(counted)
