"""One fight: a contender and a rival poll one bot for an hour, under the same traffic; what came of it.

A bot that was there first has polled for two hours, without messages, when the rival comes. The rival ends
with the hour; for a quarter of an hour more it is seen whether, and how soon, the contender gets messages
again. Judged by the server's journal and by what each program was given. When the rival comes, and the
messages, are drawn from the seed alone, so every contender meets the same ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from onepoller.testing.botapi import Row, conflicts
from tests.simulation.contenders import HABITS, OK, Contender
from tests.simulation.fighters import Fighter, Guarded, logged
from tests.simulation.foreigners import Foreigner
from tests.simulation.stage import Stage
from tests.simulation.world import World

LOOKS = range(2, 1000)
"""Offsets of polls by which ours only look; they bring nothing to the framework."""
HOUR = 3600.0
BEFORE = 2 * HOUR
AFTER = 900.0
MINUTE = 60.0
POLICIES = {
    "onepoller hold": "hold",
    "onepoller auto": "auto",
    "onepoller yield": "yield",
    "onepoller exit": "exit",
}
CONTENDERS = (*HABITS, *POLICIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Against whom, who came first, and how many messages."""

    rival: str = "aiogram"
    every: float = 0.5
    """Seconds between two messages, on average."""
    is_first: bool = True
    """Our bot was there before the rival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of one fight: the hour's, but for `back`."""

    share: float
    """Of the messages, those that reached us and that we confirmed, in percent."""
    deaf: float
    """The longest time without a getUpdates of ours that was answered well, seconds."""
    conflicts: int
    """409s that we saw."""
    repeated: int
    """Messages that more than one program was given, or one more than once."""
    destroyed: int
    """Messages that were deleted and given to nobody."""
    lines: int
    """In our log; of the guarded bots all from INFO on."""
    back: float | None
    """Seconds from the first message that waited after the rival had gone until we had one; None: never."""


def fight(setting: Setting, contender: str, seed: int) -> Figures:
    """Fight once."""
    policy = POLICIES.get(contender, "")
    stage = Stage(key=f"{setting} {contender} {seed}", seed=seed, policy=policy, model="published")
    world, drawn = stage.world, Random(f"{seed}")
    rival = stage.foreigner(setting.rival)
    ours = Guarded(stage) if policy else Fighter(world, "ours", Contender(HABITS[contender], world.random))
    first, second = (ours.start, rival.start) if setting.is_first else (rival.start, ours.start)
    begins = (BEFORE if setting.is_first else MINUTE) + drawn.uniform(0, MINUTE)
    ends = begins + HOUR
    for moment, happens in ((0.0, first), (begins, second), (ends, rival.stop)):
        world.at(moment, happens)
    _traffic(world, Random(f"messages {seed}"), setting.every, begins)
    with logged(stage, ours.lines):
        world.run(ends + AFTER)
        return _measure(world, ours, rival, begins, ends)


def _traffic(world: World, drawn: Random, every: float, start: float) -> None:
    def message() -> None:
        world.push(1)
        world.after(drawn.expovariate(1 / every), message)

    world.at(start + drawn.expovariate(1 / every), message)


def _measure(world: World, ours: Fighter | Guarded, rival: Foreigner, begins: float, ends: float) -> Figures:
    rows = [row for row in world.api.journal.rows() if row.poller != rival.name]
    during = [row for row in rows if row.ended_at is not None and begins <= row.ended_at < ends]
    came = {made.update_id: made.at for made in world.api.journal.pushes() if made.update_id is not None}
    messages = {update for update, at in came.items() if at < ends}
    given = Counter(update for _, ids in (*ours.taken, *rival.taken) for update in ids)
    reached = {update for at, ids in ours.taken if at < ends for update in ids}
    kept = reached & {update for row in rows for update in row.confirmed}
    deleted = {update for row in rows if not row.is_poll for update in row.confirmed}
    return Figures(
        share=round(100 * len(kept & messages) / len(messages), 2),
        deaf=round(_deaf(during, begins, ends), 1),
        conflicts=len(conflicts(during)),
        repeated=sum(given[update] > 1 for update in messages),
        destroyed=len((deleted - given.keys()) & messages),
        lines=sum(count for at, count in ours.lines if begins <= at < ends),
        back=_back(ours, came, ends),
    )


def _deaf(rows: Sequence[Row], begins: float, ends: float) -> float:
    well = [
        row.ended_at
        for row in rows
        if row.is_poll and row.status == OK and not row.is_ghost and row.offset not in LOOKS
    ]
    moments = [begins, *sorted(moment for moment in well if moment is not None), ends]
    return max(later - earlier for earlier, later in pairwise(moments))


def _back(ours: Fighter | Guarded, came: dict[int, float], gone: float) -> float | None:
    after = [(at, ids[0]) for at, ids in ours.taken if at >= gone]
    if not after:
        return None
    at, update = min(after)
    return round(at - max(came[update], gone), 1)
