"""What is measured of one run, whether or not it broke a promise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from onepoller.testing.botapi import Row, conflicts
from tests.simulation.checks import requests_a_minute, silences
from tests.simulation.foreigners import Foreigner
from tests.simulation.referee import is_contending
from tests.simulation.stage import Stage

SETTLED_FOR = 30.0
"""A run whose second poller was seen in its last seconds has not come to one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one run. Seconds where nothing else is said; None where the run has no such thing."""

    convergence: float | None = None
    """From the last start until one of several without a shared store polled; infinity: never."""
    share: float | None = None
    """Of the messages that came while a rival was there, ours, in percent."""
    conflicts: float = 0.0
    """409s that ours saw, an hour."""
    deaf: float = 0.0
    """The longest time in which none of ours polled."""
    waited: float = 0.0
    """The longest that a message waited while none of ours had a reason not to be there."""
    requests: int = 0
    """The most of one process in a minute, but for those that brought messages."""
    pushed: int = 0
    taken: int = 0
    """Messages that a framework of ours was given."""
    repeated: int = 0
    """Given once more than once."""
    lost: int = 0
    """Confirmed to the server, and given to nobody."""
    back: float | None = None
    """From the first message that waited after the rival had gone until one of ours had it."""


NAMES = tuple(field.name for field in fields(Figures))


def measure(stage: Stage, rows: Sequence[Row]) -> Figures:
    """Measure a run."""
    ours = {life.name for life in stage.lives}
    given = Counter(update for life in stage.lives for taken in life.taken for update in taken.ids)
    pushed = {made.update_id: made.at for made in stage.world.api.journal.pushes() if made.update_id}
    by_rivals = {update for foreigner in stage.foreigners for _, ids in foreigner.taken for update in ids}
    confirmed = {update for row in rows for update in row.confirmed}
    first_given = _first_given(stage)
    starts = [life.started_at for life in stage.lives]
    return Figures(
        convergence=_convergence(stage, rows) if len(stage.stores) > 1 else None,
        share=_share(stage.foreigners, pushed, given, by_rivals),
        conflicts=sum(row.poller in ours for row in conflicts(rows)) * 3600 / stage.length,
        deaf=max((end - start for start, end in silences(stage, rows) if start >= min(starts)), default=0.0),
        waited=max(
            (
                first_given.get(update, stage.length) - at
                for update, at in pushed.items()
                if update not in by_rivals
            ),
            default=0.0,
        ),
        requests=max(requests_a_minute(rows, name) for name in ours),
        pushed=len(pushed),
        taken=len(given),
        repeated=sum(times > 1 for times in given.values()),
        lost=len(confirmed - given.keys() - by_rivals),
        back=_back(stage, pushed, first_given),
    )


def _first_given(stage: Stage) -> dict[int, float]:
    first: dict[int, float] = {}
    for life in stage.lives:
        for taken in life.taken:
            for update in taken.ids:
                first[update] = min(first.get(update, math.inf), taken.at)
    return first


def _share(
    foreigners: Sequence[Foreigner], pushed: dict[int, float], given: Counter[int], by_rivals: set[int]
) -> float | None:
    """Who was given it first is not asked: a message that both were given counts as the rival's."""
    spans = [span for foreigner in foreigners for span in foreigner.spans]
    came = [update for update, at in pushed.items() if any(start <= at <= end for start, end in spans)]
    kept = sum(given[update] > 0 and update not in by_rivals for update in came)
    taken = kept + sum(update in by_rivals for update in came)
    return 100 * kept / taken if taken else None


def _convergence(stage: Stage, rows: Sequence[Row]) -> float:
    """When the last poll ended that did more than look and was not of the store which polls at the end."""
    store_of = {life.name: life.store for life in stage.lives}
    polls = [r for r in rows if r.poller in store_of and is_contending(r) and r.timeout]
    if not polls:
        return math.inf
    last = store_of[polls[-1].poller]
    others = [
        min(moment for moment in (r.ended_at, r.closed_at, stage.length) if moment is not None)
        for r in polls
        if store_of[r.poller] is not last
    ]
    ended = max(others, default=stage.newcomer_at)
    return math.inf if ended > stage.length - SETTLED_FOR else max(ended - stage.newcomer_at, 0.0)


def _back(stage: Stage, pushed: dict[int, float], first_given: dict[int, float]) -> float | None:
    ends = [end for foreigner in stage.foreigners for _, end in foreigner.spans if end < math.inf]
    if not ends:
        return None
    gone = max(ends)
    waiting = [at for update, at in pushed.items() if first_given.get(update, math.inf) > gone]
    came = [at for at in first_given.values() if at >= gone]
    if not waiting:
        return None
    return max(min(came, default=stage.length) - max(min(waiting), gone), 0.0)
