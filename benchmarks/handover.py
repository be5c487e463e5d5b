"""How long a bot is without a poll when its holder is told to hand it over, and whether anybody sees a 409.

Two bots, both `bot.py`, hand over to each other. The gap is read from the server's journal: from the moment
when the old poll's connection was closed until the new poll arrived.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

from judging import Bar, Rows, number, spread
from programs import SECRET, Program
from scale import Scale

from onepoller.testing import Control, Row, spawn
from onepoller.testing.botapi import conflicts, overlaps, polls

BOT = 4_300_001
PHASE = (0.15, 0.4)


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        control = stack.enter_context(spawn())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-bench-")))
        pair = [stack.enter_context(_bot(name, control, folder)) for name in ("one", "two")]
        pair[0].hear("claimed")
        pair[1].hear("waiting")
        ordered: list[float] = []
        claims: list[float] = []
        for number_ in range(scale.handovers):
            holder, standby = pair[number_ % 2], pair[1 - number_ % 2]
            time.sleep(chance.uniform(*PHASE))
            ordered.append(time.monotonic())
            holder.tell("hand over")
            claims.append(standby.hear("claimed") - ordered[-1])
        rows = control.rows(BOT)
    return {
        "gap_ms": gaps_ms(rows),
        "claim_ms": [round(value * 1e3, 3) for value in claims],
        "conflicts": len(conflicts(rows)),
        "overlaps": len(overlaps(rows)),
    }


def _bot(name: str, control: Control, folder: Path) -> Program:
    program = Program(
        "bot.py",
        *("--how", "onepoller", "--url", control.url, "--name", name, "--directory", str(folder)),
        environment={"BENCHMARK_TOKEN": f"{BOT}:{SECRET}"},
    )
    if name == "one":
        control.wait_for(lambda row: row.is_poll, timeout=30)
    return program


def gaps_ms(rows: list[Row]) -> list[float]:
    """For each change of the poller: how long no poll was open, in milliseconds; 0 where two were."""
    gaps = []
    for last, first in pairwise(polls(rows)):
        if last.poller == first.poller:
            continue
        ends = [at for at in (last.ended_at, last.closed_at) if at is not None]
        gaps.append(round(max(0.0, first.arrived_at - min(ends, default=first.arrived_at)) * 1e3, 3))
    return gaps


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised."""
    return [
        Bar(
            name="planned handover: longest time without a poll",
            limit=20,
            measured=max(measured["gap_ms"]),
            unit="ms",
        ),
        Bar(
            name="planned handover: 409s that a client could see",
            limit=0,
            measured=measured["conflicts"],
            unit="of them",
        ),
    ]


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [("planned handover, milliseconds", "p50", "p99", "max", "runs")]
    for name, samples in (("no poll open", "gap_ms"), ("from the order to the claim", "claim_ms")):
        of = spread(measured[samples])
        rows.append((name, number(of["p50"]), number(of["p99"]), number(of["max"]), str(of["count"])))
    rows.append(
        ("409s seen; two polls at once", str(measured["conflicts"]), str(measured["overlaps"]), "", "")
    )
    return rows
