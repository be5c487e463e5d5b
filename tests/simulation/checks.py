"""The promises, checked on what happened in one run. Each check gives one sentence for each breach."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from onepoller.testing.botapi import Row, overlaps
from tests.simulation import handovers, holds, looks, referee
from tests.simulation.stage import Stage

MOST_REQUESTS = 200
"""A minute, of one process, not counting those that brought updates."""
DEAF_SLACK = 2.0
"""Between two polls lie two messages, and at a change of hands a few operations of the store."""
LOOK = 2.0
"""`auto` may look between two polls (its peeks are 2.5 s apart); its probes evict an incumbent, whose 409 may
be held for 3 s."""
Span = tuple[float, float]


Check = Callable[[Stage, Sequence[Row]], Iterable[str]]


def breaches(stage: Stage, rows: Sequence[Row]) -> list[str]:
    """Everything that must not be."""
    return [sentence for check in CHECKS for sentence in check(stage, rows)]


def _terms(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """Terms grow with each grant."""
    for store in stage.stores:
        highest, before = 0, None
        for grant in store.history:
            is_new = grant.holder is not None and grant.holder != before
            if grant.term < highest or (is_new and grant.term == highest):
                yield f"term {grant.term} came after {highest} at {grant.at:.3f} s"
            highest, before = max(highest, grant.term), grant.holder


def _ownership(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """What a framework is given, its process had the claim for."""
    for life in stage.lives:
        for taken in life.taken:
            if not taken.is_ours:
                yield f"{life.name} delivered {len(taken.ids)} updates without the claim at {taken.at:.3f} s"


def _lost(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Nothing is confirmed that nobody was given."""
    confirmed = {update for row in rows for update in row.confirmed}
    given = {update for life in stage.lives for taken in life.taken for update in taken.ids}
    given.update(update for foreigner in stage.foreigners for _, ids in foreigner.taken for update in ids)
    lost = confirmed - given
    if lost:
        yield f"{len(lost)} updates were confirmed and given to nobody, the first {min(lost)}"


def _destroyed(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """No webhook of somebody else's, and no message, is removed."""
    ours = {life.name for life in stage.lives}
    for row in rows:
        if row.poller in ours and (row.method in {"deletewebhook", "setwebhook"} or (row.offset or 0) < 0):
            yield f"{row.poller} sent {row.method} with offset {row.offset} at {row.arrived_at:.3f} s"


def _storms(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """No minute holds too many requests."""
    for life in stage.lives:
        busiest = requests_a_minute(rows, life.name)
        if busiest > MOST_REQUESTS:
            yield f"{life.name} sent {busiest} requests within a minute"


def requests_a_minute(rows: Sequence[Row], name: str) -> int:
    """The most requests of one process that one minute holds, but for those that brought updates."""
    moments = [row.arrived_at for row in rows if row.poller == name and row.how != "updates"]
    busiest, first = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 60.0:
            first += 1
        busiest = max(busiest, last - first + 1)
    return busiest


def _two_of_ours(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Of one store never two poll, where the first was free to end its poll."""
    store_of = {life.name: life.store for life in stage.lives}
    for overlap in overlaps(rows):
        first, second = overlap.first, overlap.second
        is_ours = first.poller in store_of and second.poller in store_of
        if not is_ours or not overlap.is_parking or store_of[first.poller] is not store_of[second.poller]:
            continue
        if not first.timeout:
            continue  # a last confirm that the server holds, for a second: it takes nothing
        was_closed = stage.world.closed_at.get(first.connection, math.inf) <= overlap.at
        was_spoiled = any(
            name == first.poller and start <= overlap.at <= end + DEAF_SLACK
            for name, start, end in stage.spoiled
        )
        if not was_closed and not was_spoiled:
            yield f"{second.poller} polled beside {first.poller} at {overlap.at:.3f} s"


def _conflicts_shown(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """No framework sees a 409."""
    for life in stage.lives:
        for at in life.refused:
            yield f"the framework of {life.name} saw a 409 at {at:.3f} s"


def _defects(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """Nothing fails inside."""
    for life in stage.lives:
        for failure in life.loop.failures:
            yield f"{life.name}: {failure}"


# Never deaf


def deaf(stage: Stage, rows: Sequence[Row]) -> list[Span]:
    """When nobody polled for longer than a cause excuses."""
    excused = [(excuse.start, excuse.end) for excuse in stage.excuses]
    excused += [span for life in stage.lives for span in life.handled]
    slack = DEAF_SLACK + (LOOK if stage.policy == "auto" else 0.0)
    spans = []
    for gap in silences(stage, rows):
        for start, end in _without([gap], excused):
            if end - start > slack:
                spans.append((start, end))
    return spans


def _deaf(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Somebody polls, but for as long as a cause excuses."""
    for start, end in deaf(stage, rows):
        yield f"deaf for {end - start:.1f} s at {start:.1f} s"


def silences(stage: Stage, rows: Sequence[Row]) -> list[Span]:
    """When no poll of ours was open whose process could have taken what it brought."""
    ours = {life.name: life.ended_at for life in stage.lives}
    open_spans = []
    for row in rows:
        if not row.is_poll or row.poller not in ours or looks.is_look(row):
            continue
        ends = (row.ended_at, row.closed_at, row.evicted_at, stage.world.closed_at.get(row.connection))
        end = min((moment for moment in ends if moment is not None), default=stage.length)
        spoiled = [(since, until) for name, since, until in stage.spoiled if name == row.poller]
        open_spans += _without([(row.arrived_at, min(end, ours[row.poller]))], spoiled)
    return _without([(0.0, stage.length)], open_spans)


def _without(spans: list[Span], taken: list[Span]) -> list[Span]:
    """What is left of these spans when those are taken away; a point takes nothing but divides."""
    left = []
    for start, end in spans:
        free_from = start
        for begins, ends in sorted(taken):
            if ends < free_from or begins > end:
                continue
            if begins > free_from:
                left.append((free_from, begins))
            free_from = max(free_from, ends)
        if free_from < end or start == end:
            left.append((free_from, end))
    return left


CHECKS: tuple[Check, ...] = (
    _terms,
    _ownership,
    _lost,
    _destroyed,
    _storms,
    _two_of_ours,
    _conflicts_shown,
    _defects,
    _deaf,
    handovers.prompt,
    handovers.polls_at_once,
    handovers.nothing_twice,
    handovers.no_conflict_of_our_own,
    handovers.quiet_before_over,
    holds.answers_at_once,
    holds.renews,
    looks.looks_first,
    looks.peeks_differ,
    looks.probes_are_spread,
    looks.looks_deliver_nothing,
    looks.probes_are_seldom,
    looks.comes_back_seldom,
    referee.incumbents,
    referee.gives_in,
    referee.trial,
    referee.settles,
    referee.waits,
)
"""The first sentence of each says what it is."""
