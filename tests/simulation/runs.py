"""One run: a scenario, a policy, a model of the server and a seed; what came of it."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onepoller.testing.botapi import Row
from tests.simulation.checks import breaches
from tests.simulation.figures import Figures, measure
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.stage import MODELS, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Names a run; equal keys run equally."""

    scenario: str
    policy: str
    model: str
    seed: int

    @property
    def options(self) -> str:
        """The command line that replays it."""
        return f"--seed {self.seed} --scenario {self.scenario} --policy {self.policy} --model {self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run."""

    key: Key
    breaches: tuple[str, ...]
    figures: Figures
    seconds: float
    """Simulated."""


def keys(count: int, *, first: int = 0, scenario: str = "", policy: str = "", model: str = "") -> list[Key]:
    """So many runs, spread evenly over what is asked for (empty: all there is), from the first seed on."""
    kinds = [
        (s, p, m)
        for s, played in SCENARIOS.items()
        if scenario in {"", s}
        for p in played.policies
        if policy in {"", p}
        for m in MODELS
        if model in {"", m}
    ]
    return [
        Key(scenario=s, policy=p, model=m, seed=first + number // len(kinds))
        for number in range(count if kinds else 0)
        for s, p, m in (kinds[number % len(kinds)],)
    ]


@contextmanager
def played(key: Key) -> Iterator[tuple[Stage, list[Row], list[str]]]:
    """Play a run; gives the stage, the server's rows and the breaches. It is cleared away afterwards."""
    before = random.getstate()
    random.seed(f"{key}")  # the instance's own pauses between tries at the store
    complaints = _Complaints()
    log = logging.getLogger("onepoller")
    log.addHandler(complaints)
    stage = Stage(key=f"{key}", seed=key.seed, policy=key.policy, model=key.model)
    try:
        SCENARIOS[key.scenario].play(stage)
        stage.play()
        rows = stage.world.api.journal.rows()
        yield stage, rows, breaches(stage, rows) + complaints.texts
    finally:
        stage.clear()
        log.removeHandler(complaints)
        random.setstate(before)


def run(key: Key) -> Outcome:
    """Play a run and judge it."""
    with played(key) as (stage, rows, found):
        return Outcome(key=key, breaches=tuple(found), figures=measure(stage, rows), seconds=stage.length)


def journal(key: Key) -> str:
    """All that happened in a run, as text: what the server saw, and what our processes told."""
    with played(key) as (stage, rows, found):
        told = [f"{at:.9f} {who} {what}" for at, who, what in stage.world.notes]
        seen = [json.dumps([getattr(row, name) for name in Row.__slots__]) for row in rows]
        return "\n".join([*told, *seen, *found])


class _Complaints(logging.Handler):
    """What our code logs of its own defects."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self.texts.append(f"{record.getMessage()}: {cause!r}")
