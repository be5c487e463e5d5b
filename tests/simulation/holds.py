"""How ours hold a bot against a rival, checked on one run: they answer at once, and renew what they sent."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence

from onepoller.coordination import events
from onepoller.coordination.conflict import RIVAL_KINDS
from onepoller.coordination.report import Role
from onepoller.testing.botapi import Row
from tests.simulation.looks import is_look, stands_by
from tests.simulation.processes import Process
from tests.simulation.stage import Stage

WAYS = 0.1
"""A message to the server and one back, and what lies between, seconds."""
QUICK = (0.4, 0.6)
"""Below, a 409 came at once; above it did not; in between the server cannot tell."""
IN_A_ROW = 3
LEFT = 2.0
"""A call with less time left may end with the 409 that it met; its framework calls again as it likes."""
RENEWED = (1.3, 1.8)
"""A poll that is open 1.5 s after a 409 is sent anew."""


def answers_at_once(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Who holds polls again at once after a 409; only the third in a row that came at once earns a pause."""
    for life in stage.lives:
        notes = _Notes(stage, life)
        quick: float = 0
        for row, after in itertools.pairwise(_polls(rows, life)):
            if row.is_ghost or row.ended_at is None:
                continue  # a poll that we end ourselves, as to send it anew, is no answer
            if row.how != "conflict":
                quick = 0 if row.how in {"updates", "empty"} else quick
                continue
            elapsed = (row.ended_at - row.arrived_at) * life.machine.rate
            quick = 0 if elapsed > QUICK[1] else quick + 1 if elapsed < QUICK[0] else math.inf
            has_time = (row.timeout or 0) - elapsed >= LEFT
            if quick >= IN_A_ROW or not has_time or not notes.holds_through(row.ended_at, WAYS):
                continue
            if after.arrived_at - row.ended_at > WAYS * stage.slow:
                waited = after.arrived_at - row.ended_at
                yield f"{life.name} waited for {waited:.2f} s after a 409 at {row.ended_at:.2f} s"


def renews(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """Who holds sends the poll anew that is open 1.5 s after a 409: so it is the rival that is delayed."""
    low, high = RENEWED
    for life in stage.lives:
        notes, polls, rate = _Notes(stage, life), _polls(rows, life), life.machine.rate
        for at in notes.met_alone(high / rate):
            sent = [row for row in polls if at < row.arrived_at <= at + high / rate]
            is_open = sent and _ended(stage, sent[-1]) > at + high / rate
            was_renewed = any(row.arrived_at > at + low / rate for row in sent)
            has_time = sent and (sent[0].timeout or 0) > high + LEFT
            if is_open and has_time and not was_renewed and notes.holds_through(at, high / rate):
                yield f"{life.name} did not renew its poll after a 409 at {at:.2f} s"


class _Notes:
    """What a process told of its rivals."""

    def __init__(self, stage: Stage, life: Process) -> None:
        own = [(at, what) for at, name, what in stage.world.notes if name == life.name]
        self._met = [
            at for at, what in own if isinstance(what, events.ConflictSeen) and what.kind in RIVAL_KINDS
        ]
        self._others = [at for at, what in own if _ends_holding(what)]
        struck = (*stage.spoiled, *stage.storeless)
        self._struck = [(start, end) for name, start, end in struck if name == life.name]
        self._ends_at = life.leaves_at

    def met_alone(self, seconds: float) -> list[float]:
        """When it met a 409, and none before for so long that there is no pause, nor one so soon after."""
        met = [-math.inf, *self._met, math.inf]
        around = zip(met, met[1:], met[2:], strict=False)
        return [at for before, at, after in around if at - before > 5.0 and after - at > seconds + WAYS]

    def holds_through(self, start: float, seconds: float) -> bool:
        """Whether it met a rival's 409 then, and nothing else happened to it for so long."""
        end = start + seconds
        met = bisect.bisect_left(self._met, start - WAYS)
        if met == len(self._met) or self._met[met] > start + WAYS:
            return False
        other = bisect.bisect_left(self._others, start - WAYS)
        is_disturbed = other < len(self._others) and self._others[other] <= end + WAYS
        was_struck = any(since <= end and start <= until + 60.0 for since, until in self._struck)
        return not is_disturbed and not was_struck and self._ends_at > end + WAYS


def _ends_holding(what: object) -> bool:
    match what:
        case events.RoleChanged(role=role):
            return role is not Role.CONTENDED
        case events.ConflictSeen(kind=kind):
            return kind not in RIVAL_KINDS
        case _:
            return stands_by(what) or isinstance(what, events.ClaimChanged)


def _polls(rows: Sequence[Row], life: Process) -> list[Row]:
    return [row for row in rows if row.poller == life.name and row.is_poll and not is_look(row)]


def _ended(stage: Stage, row: Row) -> float:
    ends = (row.ended_at, row.evicted_at, stage.world.closed_at.get(row.connection))
    return min((moment for moment in ends if moment is not None), default=stage.length)
