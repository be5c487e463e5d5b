"""How long after the SIGKILL of its holder a claim has a new one, beside what people use instead.

The lock alone, without a bot: see `claim_holder.py`, which keeps every contender's holder at the size of a
bare Python. The limit is a thread that is blocked in `flock`. Times are from just before the kill until the
successor has the claim, on CLOCK_MONOTONIC.
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from chain import Chain, play_round
from judging import Bar, Rows, number, spread
from locks import LOCKS
from programs import Program
from scale import Scale

CONTENDERS = ("onepoller", *LOCKS)


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds."""
    chance = random.Random(seed)
    claims: defaultdict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-bench-")))
        chains: list[Chain] = []
        for how in CONTENDERS:
            (folder / how).mkdir(mode=0o700)
            chain = Chain(how, partial(Program, "claim_holder.py", how, str(folder / how)))
            stack.callback(chain.end)
            chains.append(chain)
        _shrink([chain.start_first() for chain in chains])
        for _ in range(scale.takeovers):
            takeovers = play_round(chains, chance)
            for chain, takeover in takeovers:
                claims[chain.how].append(round((takeover.claimed - takeover.killed) * 1e3, 3))
            _shrink([takeover.successor for _, takeover in takeovers])
    return {chain.how: {"claim_ms": claims[chain.how], "resident_kb": chain.resident_kb} for chain in chains}


def _shrink(holders: Sequence[Program]) -> None:
    for holder in holders:
        holder.tell("shrink")
    for holder in holders:
        holder.hear("shrunk")


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised."""
    p50 = {how: spread(of["claim_ms"])["p50"] for how, of in measured.items()}
    return [
        Bar(
            name="claim after SIGKILL, p50, beside a thread blocked in flock",
            limit=3,
            measured=p50["onepoller"] / p50["flock"],
            unit="times as long",
        ),
        Bar(
            name="claim after SIGKILL, p50, beside filelock with its defaults",
            limit=8,
            measured=p50["filelock"] / p50["onepoller"],
            unit="times faster",
            at_least=True,
        ),
    ]


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [("claim after SIGKILL, ms", "min", "p50", "p90", "p99", "max", "runs", "holder, MB")]
    for how, of in measured.items():
        claim = spread(of["claim_ms"])
        figures = [number(claim[name]) for name in ("min", "p50", "p90", "p99", "max", "count")]
        rows.append((how, *figures, number(of["resident_kb"] * 1024 / 1e6)))
    return rows
