"""How a claim changes hands in one store, checked on one run: at once, unseen, and nothing is given twice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from onepoller.coordination import events
from onepoller.coordination.conflict import RIVAL_KINDS
from onepoller.coordination.report import Role
from onepoller.testing.botapi import Row, conflicts
from tests.simulation.looks import is_look
from tests.simulation.processes import Process
from tests.simulation.stage import Stage

AT_ONCE = 0.3
"""From a claim's release until who waits has it: a few operations of the store."""
IN_LINE = 0.1
"""Who has stood by for so long waits in the store, seconds."""
PROVED = 8.2
"""A trial: 8 s, and what the ways to the server and back take."""
QUIET = 9.9
AFTERMATH = 60.0
"""A framework pauses for so long after errors."""


def prompt(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """A claim that is let go, or whose holder dies, is taken at once by who waits for it."""
    for store in stage.stores:
        for freed, taken in zip(store.history, store.history[1:], strict=False):
            if freed.holder is not None or taken.holder is None:
                continue
            life = next(life for life in stage.lives if life.name == taken.holder)
            gap = taken.at - freed.at
            if (
                gap > AT_ONCE * stage.slow
                and _stood_by(stage, life, freed.at)
                and _is_well(stage, life, taken.at)
            ):
                yield f"{life.name} waited for {gap:.2f} s for a claim that was free at {freed.at:.3f} s"


def _stood_by(stage: Stage, life: Process, moment: float) -> bool:
    roles = [
        (at, what.role)
        for at, name, what in stage.world.notes
        if name == life.name and isinstance(what, events.RoleChanged) and at <= moment
    ]
    return bool(roles) and roles[-1][1] is Role.STANDBY and moment - roles[-1][0] >= IN_LINE


def _is_well(stage: Stage, life: Process, moment: float) -> bool:
    """Whether nothing happened to it lately that keeps it from calling."""
    struck = (*stage.spoiled, *stage.storeless)
    return not any(name == life.name and start <= moment <= end + AFTERMATH for name, start, end in struck)


def polls_at_once(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Who has waited and is given a claim by an incumbent polls at once."""
    if _shared(stage) or stage.model != "published":
        return
    incumbents: set[str] = set()
    for at, name, what in stage.world.notes:
        if not isinstance(what, events.ClaimChanged) or what.cause not in (
            events.Cause.HANDED_OVER,
            events.Cause.DIED,
        ):
            continue
        life = next(life for life in stage.lives if life.name == name)
        before = what.other.label if what.other is not None else ""
        if before not in incumbents and _parked(stage, rows, before, until=at) < PROVED:
            continue  # its trial was not over, so there is nothing to go on with
        incumbents |= {before, name}
        if (
            what.event is not events.ClaimEvent.TAKEN_OVER
            or not _is_well(stage, life, at)
            or life.leaves_at < at + 1.0
        ):
            continue
        first = next(
            (row for row in rows if row.poller == name and row.is_poll and row.arrived_at > at), None
        )
        if first is not None and (is_look(first) or first.arrived_at > at + AT_ONCE * stage.slow):
            yield f"{name} did not poll at once when it was given the claim at {at:.3f} s"


def _parked(stage: Stage, rows: Sequence[Row], name: str, *, until: float) -> float:
    """For how many seconds in all a process had polls open, on its own clock."""
    rate = next((life.machine.rate for life in stage.lives if life.name == name), 1.0)
    own = [row for row in rows if row.poller == name and row.is_poll and not is_look(row)]
    ends = (stage.world.closed_at.get(row.connection, row.ended_at) or until for row in own)
    spans = zip((row.arrived_at for row in own), ends, strict=True)
    return rate * sum(max(0.0, min(end, until) - start) for start, end in spans)


def nothing_twice(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """A planned handover gives nothing twice: who gave it away lives and was not disturbed."""
    for store in stage.stores:
        first: dict[int, tuple[float, Process]] = {}
        for at, taker, ids in sorted(
            (
                (taken.at, life, taken.ids)
                for life in stage.lives
                if life.store is store
                for taken in life.taken
            ),
            key=lambda found: found[0],
        ):
            again = [update for update in ids if update in first and _is_clean(stage, first[update], at)]
            if again:
                yield f"{taker.name} was given {len(again)} updates again at {at:.3f} s, the first {again[0]}"
            first.update((update, (at, taker)) for update in ids)


def _is_clean(stage: Stage, given: tuple[float, Process], at: float) -> bool:
    before, life = given
    struck = (*stage.spoiled, *stage.storeless)
    was_struck = any(
        name == life.name and start <= at and end + AFTERMATH >= before for name, start, end in struck
    )
    return life.leaves_at > at and not was_struck and not _shared(stage)


def _shared(stage: Stage) -> bool:
    return len(stage.stores) > 1 or bool(stage.foreigners)


def no_conflict_of_our_own(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Where nobody else polls, none of ours sees a 409, and no rival is reported."""
    if _shared(stage):
        return
    if stage.model != "published":
        yield from _ghosts(stage)
        return
    struck = (*stage.spoiled, *stage.storeless)
    for row in conflicts(rows):
        ended = row.ended_at or 0.0
        was_struck = any(start <= ended and row.arrived_at <= end + AFTERMATH for _, start, end in struck)
        is_ghost = stage.world.closed_at.get(row.connection, math.inf) <= ended
        if row.tag == "G" and row.timeout and not (was_struck or is_ghost):
            yield f"{row.poller} saw a 409 at {row.ended_at:.3f} s, and nobody else was there"
    for at, name, what in stage.world.notes:
        if isinstance(what, events.EpisodeOpened) and what.kind in RIVAL_KINDS:
            yield f"{name} reported a rival at {at:.3f} s, and nobody else was there"


def _ghosts(stage: Stage) -> Iterator[str]:
    """A server that refuses newcomers tells a successor of its predecessor's poll: that is no rival."""
    if stage.spoiled or stage.storeless:
        return  # who was frozen, or whose clock gave up its own poll, has left a ghost of its own
    left = (events.Cause.DIED, events.Cause.HANDED_OVER)
    followed: dict[str, float] = {}
    for at, name, what in stage.world.notes:
        if isinstance(what, events.ClaimChanged) and what.event is events.ClaimEvent.TAKEN_OVER:
            followed[name] = at if what.cause in left else -math.inf
        elif (
            isinstance(what, events.EpisodeOpened)
            and what.kind in RIVAL_KINDS
            and at < followed.get(name, -math.inf) + 50
        ):
            yield f"{name} took its predecessor's ghost for a rival at {at:.3f} s"


def quiet_before_over(stage: Stage, _: Sequence[Row]) -> Iterator[str]:
    """An episode is over when its rival has not been seen for 10 s, never with a won poll."""
    seen: dict[str, float] = {}
    rate_of = {life.name: life.machine.rate for life in stage.lives}
    for at, name, what in stage.world.notes:
        if isinstance(what, events.ConflictSeen) and what.kind in RIVAL_KINDS:
            seen[name] = at
        elif isinstance(what, events.EpisodeClosed) and what.resolution == "rival_gone" and name in seen:
            quiet = (at - seen[name]) * rate_of[name]
            if quiet < QUIET:
                yield f"{name} ended an episode {quiet:.1f} s after a 409 at {at:.3f} s"
