"""Scenarios of hosts that share no store: nobody but Telegram can tell them of each other.

What `auto` promises of them is told to the judge (`Stage.waits_at_most`, `Stage.newcomer`); of other policies
nothing is promised here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from tests.simulation.processes import Process
from tests.simulation.stage import Stage

IDLE, STEADY, BUSY = 60.0, 2.0, 0.5
"""Seconds between two messages."""
AFTER_DEATH = 30.0
"""After the death of one of two no message waits for 20 s; but one must come first."""
IDLE_AFTER_DEATH = 100.0
"""Nothing comes: two probes, and what a probe takes."""
LONGEST_WAIT = 20.0
SETTLED = 45.0
"""Who has had the bot for so long is established, on the slowest clock too."""
RATES = (0.5, 0.8, 1.0, 1.0, 1.1)
"""A faster one would give up a poll of 30 s before the server answers it."""


def two_without_store(stage: Stage) -> None:
    """Two or three hosts; all at once, or one after the other; messages may wait already."""
    _traffic(stage, (IDLE, STEADY, STEADY, BUSY))
    count = stage.random.choice((2, 2, 3))
    handling = stage.random.choice((0.0, 0.0, stage.random.uniform(0.1, 4.0)))
    at_once = stage.random.random() < 0.4
    at = 0.0
    for place in range(count):
        gap = stage.random.uniform(5, 60)
        at = stage.random.uniform(0, 1) if at_once else at + gap * bool(place)
        is_settled = not at_once and place > 0 and gap >= SETTLED
        stage.world.at(at, partial(_host, stage, handling=handling, is_settled=is_settled))
        stage.newcomer_at = max(stage.newcomer_at, at)
    stage.length = stage.newcomer_at + 150.0
    _promise(stage, 0.0)


def _host(stage: Stage, *, handling: float = 0.0, is_settled: bool = False) -> Process:
    if is_settled:
        stage.newcomer()
    return stage.process(stage.store(), handling=handling)


def _traffic(stage: Stage, choices: tuple[float, ...]) -> None:
    every = stage.random.choice(choices)
    stage.traffic(every)
    stage.is_idle = every == IDLE
    if stage.random.random() < 0.3:
        stage.world.at(0.0, stage.world.push, stage.random.randint(20, 200))


def _promise(stage: Stage, dies_at: float) -> None:
    """What `auto` owes from now on, and when it is excused."""
    if stage.policy != "auto":
        stage.excuse("each other", math.inf)
        return
    stage.waits_at_most = LONGEST_WAIT * stage.slow + (stage.ghost if stage.ghost > 1.0 else 0.0)
    _excuse_death(stage, start=dies_at)


def _excuse_death(stage: Stage, *, start: float | None = None) -> None:
    seconds = IDLE_AFTER_DEATH if stage.is_idle else AFTER_DEATH
    stage.excuse("death", seconds * stage.slow + stage.ghost, start=start)


def incumbent_dies(stage: Stage) -> None:
    """Of two or three hosts the one that polls dies, and comes back or not; of three the next one too."""
    _traffic(stage, (STEADY, STEADY, IDLE))
    count = stage.random.choice((2, 2, 3))
    at = 0.0
    for _ in range(count):
        stage.world.at(at, partial(_host, stage))
        at += stage.random.uniform(20, 40)
    for _ in range(count - 1):
        at += stage.random.uniform(60, 90)
        stage.world.at(at, _kill_poller, stage, stage.random.choice((0.0, stage.random.uniform(1, 30))))
        at += 130.0 if stage.is_idle else 30.0
    stage.length = at + 60.0
    stage.newcomer_at = at - 60.0
    _promise(stage, 0.0)


def poller(stage: Stage) -> Process:
    """Whose poll came last, of those that live; a look is none."""
    rows = stage.world.api.journal.rows()
    living = {life.name: life for life in stage.lives if life.is_alive}
    polls = [
        row.poller for row in rows if row.is_poll and row.timeout and (row.offset or 0) not in range(2, 1000)
    ]
    return next((living[name] for name in reversed(polls) if name in living), next(iter(living.values())))


def _kill_poller(stage: Stage, back_after: float) -> None:
    life = poller(stage)
    if stage.policy == "auto":
        _excuse_death(stage)
    life.crash()
    if back_after:
        stage.world.after(back_after, _back, stage, life)


def _back(stage: Stage, life: Process) -> None:
    stage.process(life.store)
    stage.newcomer_at = max(stage.newcomer_at, stage.world.now)
    if stage.policy == "auto":
        _excuse_death(stage)  # it may undo the trial of the one that came in between


def freezes_without_store(stage: Stage) -> None:
    """Two or three hosts with clocks of half the speed and more; who polls freezes, or loses the network."""
    count = stage.random.choice((2, 2, 3))
    machines = [stage.machine(rate=stage.random.choice(RATES)) for _ in range(count)]
    stage.slow = 1 / min(1.0, *(machine.rate for machine in machines))
    _traffic(stage, (STEADY, STEADY, IDLE))
    at = 0.0
    for machine in machines:
        stage.world.at(at, partial(_settle_in, stage, machine.name))
        at += stage.random.uniform(5, 40)
    _promise(stage, 0.0)
    for _ in range(stage.random.randint(1, 2)):
        at += 60.0 * stage.slow + stage.random.uniform(0, 20)
        seconds = stage.random.choice((stage.random.uniform(1, 40), stage.random.uniform(130, 150)))
        stage.world.at(at, _disturb, stage, seconds, stage.random.choice((stage.freeze, stage.cut)))
        at += seconds
    stage.newcomer_at = at
    stage.length = at + 130.0


def long_handler(stage: Stage) -> None:
    """Of two hosts the one that polls handles a batch for longer than a minute; the other one takes over."""
    stage.traffic(STEADY)
    for at in (0.0, stage.random.uniform(10, 30)):
        stage.world.at(at, lambda: stage.process(stage.store(), framework="loop"))
    _promise(stage, 0.0)
    at = stage.random.uniform(70, 100)
    stage.world.at(at, _dawdle, stage, stage.random.uniform(90, 120))
    stage.newcomer_at = at + 130.0
    stage.length = at + 280.0


def _dawdle(stage: Stage, seconds: float) -> None:
    def begins() -> None:
        if stage.policy == "auto":
            _excuse_death(stage)
        stage.world.after(seconds - 0.001, stage.newcomer)

    poller(stage).dawdle(seconds, begins)


def _settle_in(stage: Stage, name: str) -> None:
    stage.process(stage.store(next(machine for machine in stage.machines if machine.name == name)))


def _disturb(stage: Stage, seconds: float, how: Callable[[Process, float], None]) -> None:
    life = poller(stage) if stage.random.random() < 0.7 else stage.random.choice(stage.lives)
    if stage.policy == "auto":
        _excuse_death(stage)
        stage.excuse("back again", LONGEST_WAIT * stage.slow, start=stage.world.now + seconds)
    how(life, seconds)
    if seconds >= 130.0:  # on a clock of half the speed too that is longer than a minute
        stage.world.after(seconds - 0.001, stage.newcomer)
