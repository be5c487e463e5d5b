"""What `auto` promises of hosts that share no store, checked on one run.

The incumbent holds, the newcomer yields, one of them delivers, and what waits is fetched in time. How they
look before they poll is `looks`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from onepoller.coordination import events
from onepoller.coordination.conflict import RIVAL_KINDS
from onepoller.testing.botapi import Row
from tests.simulation.looks import is_look, stands_by
from tests.simulation.stage import Stage

SETTLED_AFTER = 60.0
"""So long after the last start, thaw or cut there is one poller, seconds."""
CONTEST = 10.0
"""Two may contend for so long after that."""
CALM = 15.0
"""Who has not polled for so long does not contend any more."""
NEWCOMER_GONE = 30.0
"""A newcomer's look, its trial and a 409 that is held are over."""
UNDONE = 5.0
"""A trial that ends with a 409, which may have been held, lasts no longer."""
TRIAL = 6.0
"""8 s, less what the ways to the server and back take of many polls."""
HELD = 8.0
"""3 s, a 409 that is held, and a poll in between."""
WINDOW = 20.0
REFUSED = 30
"""So often a server refuses an incumbent before that takes it at its word."""
Span = tuple[float, float]


def contest(stage: Stage, rows: Sequence[Row], *, since: float) -> Iterator[str]:
    """Once settled, never do two hosts poll in turns for longer than 10 s."""
    for start, end in contests(stage, rows, since=since):
        if end - start > CONTEST * stage.slow:
            yield f"two hosts contended for {end - start:.1f} s at {start:.1f} s"


def is_contending(row: Row) -> bool:
    """Whether this poll does more than look, and was not refused for somebody else's that is parked."""
    return row.is_poll and not is_look(row) and row.evicted_at != row.arrived_at


def contests(stage: Stage, rows: Sequence[Row], *, since: float) -> list[Span]:
    """When polls of different stores came in turns, from the first change of hands to the last."""
    store_of = {life.name: life.store for life in stage.lives}
    spans: list[Span] = []
    before: Row | None = None
    for row in rows:
        if row.arrived_at < since or row.poller not in store_of or not is_contending(row):
            continue
        if before is not None and store_of[row.poller] is not store_of[before.poller]:
            at = row.arrived_at
            if spans and at - spans[-1][1] <= CALM:
                spans[-1] = (spans[-1][0], at)
            else:
                spans.append((at, at))
        before = row
    return spans


def settles(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Once settled, never do two hosts poll in turns for longer than 10 s."""
    if stage.waits_at_most < math.inf:
        yield from contest(stage, rows, since=stage.newcomer_at + SETTLED_AFTER)


def waits(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """No message waits longer than 20 s for one of ours."""
    if stage.waits_at_most == math.inf:
        return
    given: dict[int, float] = {}
    for life in stage.lives:
        for taken in life.taken:
            for update in taken.ids:
                given[update] = min(given.get(update, math.inf), taken.at)
    for made in stage.world.api.journal.pushes():
        waited = given.get(made.update_id or 0, stage.length) - made.at
        if waited > stage.waits_at_most:
            yield f"a message waited for {waited:.1f} s at {made.at:.1f} s"
            return


def incumbents(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Who has the bot when a newcomer comes has it afterwards."""
    if stage.policy != "auto":
        return
    for at in stage.newcomers:
        before = pollers(stage, rows, at - WINDOW, at)
        after = pollers(
            stage, rows, at + NEWCOMER_GONE * stage.slow, at + NEWCOMER_GONE * stage.slow + WINDOW
        )
        if len(before) == 1 and after != before and not _was_refused(stage, rows, before, at):
            yield f"{_names(before)} had the bot at {at:.1f} s, and then {_names(after)}"


def _was_refused(stage: Stage, rows: Sequence[Row], places: set[int], since: float) -> bool:
    """Whether the server took the incumbent for the newcomer, whose poll came between two of its own.

    Only one that refuses newcomers does, and it knows one by the other poll that is open.
    """
    names = {life.name for life in stage.lives if stage.stores.index(life.store) in places}
    until = since + NEWCOMER_GONE * stage.slow + WINDOW
    refused = [
        row
        for row in rows
        if row.poller in names and since <= row.arrived_at <= until and row.evicted_at == row.arrived_at
    ]
    return len(refused) >= REFUSED


def gives_in(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """An incumbent insists for as long as it was there, a third more, and some seconds; then it stands by."""
    if stage.policy != "auto":
        return
    insists_until: dict[str, float] = {}
    for at, name, what in stage.world.notes:
        life = next((life for life in stage.lives if life.name == name), None)
        if life is None:
            continue
        if isinstance(what, events.EpisodeOpened) and what.kind in RIVAL_KINDS and not what.stands_by:
            there = at - min(other.started_at for other in stage.lives if other.store is life.store)
            insists_until[name] = at + 1.3 * there + HELD / life.machine.rate
        elif isinstance(what, (events.EpisodeClosed, events.StoodBy)):
            insists_until.pop(name, None)
        elif isinstance(what, events.ConflictSeen):
            # Who was frozen reads late what it met in time.
            sent_at = at - what.seconds / life.machine.rate
            if sent_at > insists_until.get(name, math.inf):
                yield f"{name} still insisted at {at:.1f} s"
                del insists_until[name]


def trial(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Who comes back from standing by is on trial: the first 409 sends it back, until 8 s of open calls."""
    if stage.policy != "auto":
        return
    for life in stage.lives:
        stood_by = [at for at, name, what in stage.world.notes if name == life.name and stands_by(what)]
        met = [
            at
            for at, name, what in stage.world.notes
            if name == life.name and isinstance(what, events.ConflictSeen)
        ]
        own = [row for row in rows if row.poller == life.name and row.is_poll]
        for start, end in itertools.pairwise([*stood_by, math.inf]):
            first = next((at for at in met if start < at), math.inf)
            if first == math.inf or first >= end:
                continue
            calls = [row for row in own if start < row.arrived_at < first]
            real = [row for row in calls if not is_look(row)]
            looked = [row for row in calls if is_look(row) and real and row.arrived_at < real[0].arrived_at]
            open_for = sum(_ended(stage, row) - row.arrived_at for row in real) * life.machine.rate
            if real and not (looked and looked[-1].timeout) and open_for < TRIAL:
                yield f"{life.name} was on trial and insisted at {first:.1f} s"


def pollers(stage: Stage, rows: Sequence[Row], start: float, end: float) -> set[int]:
    """The places of the stores that polled between these moments, for longer than a trial that is undone."""
    place_of = {life.name: stage.stores.index(life.store) for life in stage.lives}
    open_for: dict[int, float] = {}
    for row in rows:
        if row.poller in place_of and row.is_poll and not is_look(row):
            seconds = min(_ended(stage, row), end) - max(row.arrived_at, start)
            place = place_of[row.poller]
            open_for[place] = open_for.get(place, 0.0) + max(seconds, 0.0)
    return {place for place, seconds in open_for.items() if seconds > UNDONE} or _given_most(
        stage, start, end
    )


def _given_most(stage: Stage, start: float, end: float) -> set[int]:
    """Who is so busy that none of its polls is open for long was given what came, most of it."""
    given: dict[int, int] = {}
    for life in stage.lives:
        batches = sum(start <= taken.at <= end for taken in life.taken)
        if batches:
            place = stage.stores.index(life.store)
            given[place] = given.get(place, 0) + batches
    return {max(given, key=lambda place: given[place])} if given else set()


def _ended(stage: Stage, row: Row) -> float:
    ends = (row.ended_at, row.closed_at, row.evicted_at, stage.world.closed_at.get(row.connection))
    return min((moment for moment in ends if moment is not None), default=stage.length)


def _names(places: set[int]) -> str:
    return " and ".join("ABCDEFG"[place] for place in sorted(places)) or "nobody"
