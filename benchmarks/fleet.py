"""Many bots in one process: what they cost while nothing happens, and how fast all of them change hands.

For each size three processes: a holder, a standby that waits for every bot of it, and, for comparison, the
same loops without onepoller. Then the holder is killed. Times of a start are from the first call, times of a
takeover from the SIGKILL: until the last bot has been claimed, and until the last bot polls.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from judging import Bar, Rows, number
from programs import Program
from scale import Scale

KINDS = ("holder", "standby", "bare")
QUIET = 2.0
"""A standby waits for longer than this before its holder dies, seconds: it has nothing else to do by then."""


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds."""
    measured: dict[str, Any] = {}
    for bots in scale.fleets:
        is_largest = bots == max(scale.fleets)
        of = _one(bots, seed, idle=scale.idle_seconds if is_largest else scale.idle_briefly)
        for repeat in range(1, scale.fleet_repeats if is_largest else 1):
            again = _one(bots, seed + repeat, idle=None)
            for name in ("claim_ms", "start_ms", "claims_taken_ms", "takeover_ms"):
                of[name] += again[name]
        measured[str(bots)] = of
    return measured


def _one(bots: int, seed: int, *, idle: tuple[float, float] | None) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-bench-"))
        arguments = ("--directory", folder, "--bots", str(bots), "--seed", str(seed))
        holder = stack.enter_context(Program("fleet_bots.py", *arguments))
        started = holder.hear("starting")
        polling = holder.hear("polling")
        standby = stack.enter_context(Program("fleet_bots.py", *arguments))
        standby.hear("standing_by")
        looks: dict[str, Any] = {}
        if idle is not None:
            bare = stack.enter_context(Program("fleet_bots.py", *arguments, "--bare"))
            programs = dict(zip(KINDS, (holder, standby, bare), strict=True))
            for program in programs.values():
                program.tell(f"idle {idle[0]} {idle[1]}")
            looks = {kind: program.hear("idle", timeout=120) for kind, program in programs.items()}
            bare.end()
        time.sleep(QUIET)
        killed = time.monotonic()
        holder.kill()
        taken = standby.hear("polling")
    return {
        "claim_ms": [_milliseconds(polling["last_claim"] - started)],
        "start_ms": [_milliseconds(polling["last_poll"] - started)],
        "claims_taken_ms": [_milliseconds(taken["last_claim"] - killed)],
        "takeover_ms": [_milliseconds(taken["last_poll"] - killed)],
        "idle": looks,
    }


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised, of the largest fleet."""
    smallest, largest = (measured[str(size(map(int, measured)))] for size in (min, max))
    many = number(max(map(int, measured)))
    idle = {kind: largest["idle"][kind] for kind in ("holder", "standby")}
    more = {
        what: max(of[what] - smallest["idle"][kind][what] for kind, of in idle.items())
        for what in ("threads", "descriptors")
    }
    return [
        Bar(
            name=f"{many} bots claimed, from the first call to the last claim",
            limit=1000,
            measured=statistics.median(largest["claim_ms"]),
            unit="ms",
        ),
        Bar(
            name=f"threads of {many} bots more than of one", limit=0, measured=more["threads"], unit="of them"
        ),
        Bar(
            name=f"descriptors of {many} bots more than of one",
            limit=0,
            measured=more["descriptors"],
            unit="of them",
        ),
        *(
            Bar(
                name=f"{many} bots, all calls asleep, {kind}: of one processor",
                limit=2,
                measured=of["cpu_percent"],
                unit="%",
            )
            for kind, of in idle.items()
        ),
        Bar(
            name=f"{many} bots taken over, from the SIGKILL to the last claim",
            limit=300,
            measured=statistics.median(largest["claims_taken_ms"]),
            unit="ms",
        ),
    ]


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    sizes = sorted(measured, key=int)
    rows: Rows = [("bots in one process", *(number(int(bots)) for bots in sizes))]
    for kind in KINDS:
        looks = [measured[bots]["idle"][kind] for bots in sizes]
        rows += [
            (f"{kind}: resident, MB", *(number(look["resident_kb"] * 1024 / 1e6) for look in looks)),
            (f"{kind}: CPU while all calls sleep, %", *(number(look["cpu_percent"]) for look in looks)),
            (f"{kind}: CPU with calls ending, %", *map(_steady, looks)),
        ]
    for what in ("threads", "descriptors"):
        rows.append((f"holder: {what}", *(str(measured[bots]["idle"]["holder"][what]) for bots in sizes)))
    for what, name in (
        ("claim_ms", "start: all claimed, ms"),
        ("start_ms", "start: all polling, ms"),
        ("claims_taken_ms", "after SIGKILL: all claimed, ms"),
        ("takeover_ms", "after SIGKILL: all polling, ms"),
    ):
        rows.append((name, *(number(statistics.median(measured[bots][what])) for bots in sizes)))
    worst = (number(max(measured[bots]["takeover_ms"])) for bots in sizes)
    rows.append(("the same, worst of its runs", *worst))
    return rows


def _steady(look: Mapping[str, Any]) -> str:
    steady = look.get("steady")
    return f"{number(steady['cpu_percent'])} ({number(steady['calls_a_second'])} a second)" if steady else ""


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 1)
