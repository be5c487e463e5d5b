"""How ours look whether somebody else polls, checked on one run: it disturbs nobody, and delivers nothing."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence

from onepoller.coordination.events import EpisodeOpened, StoodBy
from onepoller.testing.botapi import Row
from tests.simulation.stage import Stage

HARMLESS = range(2, 1000)
"""Offsets of a poll that only looks: below every real update."""
PROBE_EVERY = 40.0
"""A probe may evict a rival's poll; never more often."""
WRONG_AT_MOST = 4
"""Coming back while the rival is there, in five minutes: each time what waits is watched longer."""


def is_look(row: Row) -> bool:
    """Whether this poll only looks."""
    return row.is_poll and row.offset in HARMLESS


def looks_first(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Who starts without a predecessor in its store looks before it polls."""
    if stage.policy != "auto":
        return
    for store in stage.stores:
        if not store.history:
            continue
        name = store.history[0].holder
        first = next((row for row in rows if row.poller == name and row.is_poll), None)
        if first is not None and not is_look(first):
            yield f"{name} polled at {first.arrived_at:.3f} s without a look"


def peeks_differ(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """A peek never has the offset of the one before: repeated within 3 s it parks, and evicts somebody."""
    for life in stage.lives:
        peeks = [row for row in rows if row.poller == life.name and is_look(row) and not row.timeout]
        for before, row in itertools.pairwise(peeks):
            # Sooner, it is another look: once in a thousand of those it may be.
            if (
                row.offset == before.offset
                and 2.0 < (row.arrived_at - before.arrived_at) * life.machine.rate < 3.0
            ):
                yield f"{life.name} repeated a peek at {row.arrived_at:.3f} s"


def probes_are_spread(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Between two probes lie 40 to 80 s, at random: else those of several hosts could meet each time."""
    for life in stage.lives:
        probes = [row for row in rows if row.poller == life.name and is_look(row) and row.timeout]
        pauses = [
            (row.arrived_at - before.ended_at) * life.machine.rate
            for before, row in itertools.pairwise(probes)
            if before.ended_at is not None and row.arrived_at - before.ended_at > PROBE_EVERY / 2
        ]
        if len(pauses) > 2 and max(pauses) - min(pauses) < 0.5:
            yield f"{life.name} probed every {pauses[0]:.1f} s"


def looks_deliver_nothing(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """What a look brings is given to nobody."""
    brought: defaultdict[str, set[tuple[int, ...]]] = defaultdict(set)
    for row in rows:
        if row.is_poll and not is_look(row):
            brought[row.poller].add(row.update_ids)
    for life in stage.lives:
        for taken in life.taken:
            if taken.ids not in brought[life.name]:
                yield f"{life.name} delivered what a look had brought at {taken.at:.3f} s"


def probes_are_seldom(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """A probe evicts a poll of somebody else at most once in 40 s."""
    for life in stage.lives:
        before = -PROBE_EVERY * 2
        for at in evictions(stage, rows, life.name):
            if (at - before) * life.machine.rate < PROBE_EVERY - 1.0:
                yield f"probes of {life.name} evicted somebody twice within {at - before:.1f} s at {at:.1f} s"
            before = at


def evictions(stage: Stage, rows: Sequence[Row], name: str) -> list[float]:
    """When probes of this process evicted an open poll of somebody else."""
    probes = {
        row.arrived_at for row in rows if row.poller == name and is_look(row) and row.parked_at is not None
    }
    gone = stage.world.closed_at
    return sorted(
        row.evicted_at
        for row in rows
        if row.evicted_at in probes
        and row.poller != name
        and gone.get(row.connection, row.evicted_at) >= row.evicted_at
    )


def comes_back_seldom(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """Who came back for a rival that was there all the time does so ever later."""
    if stage.model != "published":
        return
    for foreigner in stage.foreigners:
        for start, end in foreigner.spans:
            for life in stage.lives:
                times = sum(
                    name == life.name and start < at < end and stands_by(what)
                    for at, name, what in stage.world.notes
                )
                if times > 1 + WRONG_AT_MOST:
                    yield f"{life.name} came back {times - 1} times while the rival was there"


def stands_by(what: object) -> bool:
    """Whether this was told: we leave the bot to a rival."""
    return isinstance(what, StoodBy) or (isinstance(what, EpisodeOpened) and what.stands_by)
