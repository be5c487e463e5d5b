"""How long a bot is without a poller after its poller was killed: from the SIGKILL to the next getUpdates.

Every contender is the same bot (`bot.py`), of the same resident size; onepoller in one, a lock around the
poll loop in the others. The moment of the poll is its arrival at the server, which is a process of its own.
All read CLOCK_MONOTONIC. Onepoller and a blocked `flock` run each time, the others take turns.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from chain import Chain, play_round
from judging import Bar, Rows, number, spread
from locks import LOCKS
from programs import SECRET, Program
from scale import Scale

from onepoller.testing import Control, spawn

ALWAYS = ("onepoller", "flock")
IN_TURN = tuple(how for how in LOCKS if how not in ALWAYS)
RESIDENT_MB = 58.0
"""What each bot is filled up to while it waits; it grows a little as it polls. The bar speaks of 60."""
BOTS = {how: 4_200_001 + place for place, how in enumerate((*ALWAYS, *IN_TURN))}


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds."""
    chance = random.Random(seed)
    claims: defaultdict[str, list[float]] = defaultdict(list)
    polls: defaultdict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        control = stack.enter_context(spawn())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-bench-")))
        names = itertools.count()
        chains = {how: Chain(how, partial(_bot, how, names, control, folder)) for how in BOTS}
        for chain in chains.values():
            stack.callback(chain.end)
            chain.start_first()
        for turn in range(scale.takeovers):
            taking = (*ALWAYS, IN_TURN[turn % len(IN_TURN)])
            for chain, takeover in play_round([chains[how] for how in taking], chance):
                arrived = _first_poll(control, takeover.successor.arguments["--name"])
                claims[chain.how].append(round((takeover.claimed - takeover.killed) * 1e3, 3))
                polls[chain.how].append(round((arrived - takeover.killed) * 1e3, 3))
    return {
        how: {"claim_ms": claims[how], "poll_ms": polls[how], "resident_kb": chain.resident_kb}
        for how, chain in chains.items()
    }


def _first_poll(control: Control, name: str) -> float:
    return control.wait_for(lambda row: row.is_poll and row.poller == name).arrived_at


def _bot(how: str, names: itertools.count[int], control: Control, folder: Path) -> Program:
    directory = folder / how
    directory.mkdir(mode=0o700, exist_ok=True)
    return Program(
        "bot.py",
        *("--how", how, "--url", control.url, "--name", f"{how}-{next(names)}"),
        *("--directory", str(directory), "--resident", str(RESIDENT_MB)),
        environment={"BENCHMARK_TOKEN": f"{BOTS[how]}:{SECRET}"},
    )


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised."""
    own = measured["onepoller"]
    polls = spread(own["poll_ms"])
    return [
        Bar(name="SIGKILL to the next poll, p50", limit=10, measured=polls["p50"], unit="ms"),
        Bar(name="SIGKILL to the next poll, p99", limit=50, measured=polls["p99"], unit="ms"),
        Bar(
            name="resident size of the bots killed for it",
            limit=60,
            measured=own["resident_kb"] * 1024 / 1e6,
            unit="MB",
        ),
    ]


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [("bot killed, ms", "claim p50", "p99", "next poll p50", "p99", "max", "runs", "bot, MB")]
    for how, of in measured.items():
        claim, poll = spread(of["claim_ms"]), spread(of["poll_ms"])
        figures = (claim["p50"], claim["p99"], poll["p50"], poll["p99"], poll["max"], claim["count"])
        rows.append((how, *map(number, figures), number(of["resident_kb"] * 1024 / 1e6)))
    return rows
