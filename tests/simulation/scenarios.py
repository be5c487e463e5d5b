"""The scenarios: what is set up, and what happens to it. Each draws its own details from the run's seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from onepoller.coordination.settings import OnRival
from tests.simulation.foreigners import RIVALS
from tests.simulation.processes import Process
from tests.simulation.stage import LEASE, Stage

POLICIES = tuple(str(policy) for policy in OnRival)
_USUAL = tuple(policy for policy in POLICIES if policy in {"auto", "hold"})
"""The policies where nobody is a rival."""
IDLE, STEADY, BUSY = 60.0, 2.0, 0.5
"""Seconds between two messages."""
SILENT = LEASE + 3.0
"""A silent session is taken for dead: its lease, a slow look, and a retry of the new holder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A name, what happens, and the policies for which that makes a difference."""

    play: Callable[[Stage], None]
    policies: tuple[str, ...] = _USUAL


def one_store(stage: Stage) -> None:
    """Two to four instances of one store: handovers, crashes, newcomers."""
    store = stage.store()
    stage.traffic(stage.random.choice((IDLE, STEADY, BUSY)))
    count = stage.random.randint(2, 4)
    for _ in range(count):
        stage.world.at(stage.random.uniform(0, 5), partial(stage.process, store))
    stage.excuse("nobody is there yet", 5.0)
    for number in range(6):
        stage.world.at(15 + 25 * number + stage.random.uniform(0, 15), _change, stage)


def _living(stage: Stage) -> list[Process]:
    return [life for life in stage.lives if life.is_alive]


def _change(stage: Stage) -> None:
    """One of them ends, by order or by force; another may start."""
    living = _living(stage)
    if not living:
        stage.process(stage.stores[0])
        return
    life = stage.random.choice(living)
    end = stage.random.choice((life.crash, life.stop))
    starts_at = stage.world.now + stage.random.uniform(0, 4)
    is_alone = len(living) == 1
    ghost = stage.ghost
    stage.excuse("end", starts_at - stage.world.now + ghost if is_alone else ghost)
    end()
    if is_alone or stage.random.random() < 0.7:
        start = stage.random.choice(("standby", "takeover"))
        stage.excuse("takeover", ghost, start=starts_at)
        stage.world.at(starts_at, partial(stage.process, stage.stores[0], start=start))


def rival(kind: str, stage: Stage) -> None:
    """One or two instances of one store poll; a foreign poller comes, and goes."""
    store = stage.store()
    stage.traffic(BUSY)
    for _ in range(stage.random.randint(1, 2)):
        stage.process(store)
    foreigner = stage.foreigner(kind)
    comes, stays = stage.random.uniform(20, 40), stage.random.uniform(60, 90)
    stage.world.at(comes, foreigner.start)
    stage.world.at(comes + stays, foreigner.stop)
    stage.excuse("rival", stays + BACK_AFTER[stage.policy] + stage.ghost, start=comes)
    stage.length = comes + stays + 75.0


BACK_AFTER = {"hold": 2.0, "yield": 20.0, "exit": 20.0, "auto": 20.0}
"""With messages waiting, a rival that has gone is followed so soon."""


def two_without_store(stage: Stage) -> None:
    """Two or three hosts that share no store; all at once, or one after the other."""
    stage.traffic(stage.random.choice((IDLE, STEADY, STEADY, BUSY)))
    count = stage.random.choice((2, 2, 3))
    at_once = stage.random.random() < 0.4
    for place in range(count):
        at = stage.random.uniform(0, 1) if at_once else place * stage.random.uniform(5, 60)
        stage.newcomer_at = max(stage.newcomer_at, at)
        stage.world.at(at, partial(stage.process, stage.store()))
    stage.length = stage.newcomer_at + 150.0
    _excuse_each_other(stage, 0.0)


def _excuse_each_other(stage: Stage, dies_at: float) -> None:
    """No policy but `auto` promises anything of two that do not know each other."""
    if stage.policy == "auto":
        stage.excuse("death", AFTER_DEATH + stage.ghost, start=dies_at)
    else:
        stage.excuse("each other", stage.length)


AFTER_DEATH = 30.0
"""After the death of one of two that share no store no message waits for 20 s; but one must come first."""


def incumbent_dies(stage: Stage) -> None:
    """Of two hosts without a shared store the one that polls dies, and comes back or not."""
    stage.traffic(STEADY)
    first, second = stage.store(), stage.store()
    incumbent = stage.process(first)
    newcomer_at = stage.random.uniform(20, 40)
    stage.world.at(newcomer_at, partial(stage.process, second))
    dies_at = newcomer_at + stage.random.uniform(60, 90)
    stage.world.at(dies_at, incumbent.crash)
    if stage.random.random() < 0.5:
        stage.newcomer_at = dies_at + stage.random.uniform(1, 30)
        stage.world.at(stage.newcomer_at, partial(stage.process, first))
    else:
        stage.newcomer_at = dies_at
    stage.length = dies_at + 150.0
    _excuse_each_other(stage, dies_at)


def webhook_tug(stage: Stage) -> None:
    """Somebody sets a webhook again and again, and deletes it."""
    store = stage.store()
    stage.traffic(STEADY)
    for _ in range(stage.random.randint(1, 2)):
        stage.process(store)
    setter = stage.webhook_setter()
    at = stage.random.uniform(15, 30)
    while at < 140:
        stays = stage.random.uniform(2, 20)
        stage.world.at(at, setter.start)
        stage.world.at(at + stays, setter.stop)
        stage.excuse("webhook", stays + 8.0, start=at)  # it is looked for every 4 to 6 s
        at += stays + stage.random.uniform(15, 40)


def store_trouble(stage: Stage) -> None:
    """The store goes away, is slow, and loses answers."""
    store = stage.store()
    stage.traffic(STEADY)
    lives = [stage.process(store) for _ in range(stage.random.randint(2, 3))]
    for life in lives:
        life.seat.loses_answers = stage.random.choice((0.0, 0.3))
    at = stage.random.uniform(10, 20)
    while at < 140:
        stays = stage.random.uniform(1, 30)
        struck = stage.random.sample(lives, stage.random.randint(1, len(lives)))
        stage.world.at(at, _strike, stage, struck, stage.random.random() < 0.7)
        # Its poll stays open at its deadline; what it brings is dropped.
        stage.storeless += [(life.name, at, at + stays + SILENT) for life in struck]
        stage.world.at(at + stays, _heal, struck)
        # A holder stands by at its deadline; a peer that reaches the store takes over after the lease.
        stage.excuse("store", stays + SILENT + 2.0 + stage.ghost, start=at)
        at += stays + stage.random.uniform(20, 40)


def _strike(stage: Stage, lives: list[Process], is_away: bool) -> None:
    for life in lives:
        stage.world.note(life.name, "its store is away" if is_away else "its store is slow")
        life.seat.is_away = is_away
        life.seat.takes = (0.5, 3.0)


def _heal(lives: list[Process]) -> None:
    for life in lives:
        life.seat.is_away = False
        life.seat.takes = (0.0002, 0.002)


def freezes_and_clocks(stage: Stage) -> None:
    """Processes freeze, machines sleep, clocks run at half to twice the speed or jump, networks fail."""
    machine = stage.machine(rate=stage.random.choice((0.5, 0.8, 1.0, 1.25, 2.0)))
    slow = 1 / min(1.0, machine.rate)
    store = stage.store(machine)
    stage.traffic(STEADY)
    for _ in range(stage.random.randint(2, 3)):
        stage.process(store)
    at = stage.random.uniform(10, 20)
    while at < 140:
        seconds = stage.random.uniform(1, 40)
        what = stage.random.choice((_freeze_one, _freeze_one, _cut_one, _jump, _sleep))
        stage.world.at(at, what, stage, seconds)
        bound = {_jump: 0.0, _sleep: seconds + 15.0 * slow, _cut_one: seconds + 42.0 * slow}
        stage.excuse(what.__name__[1:], bound.get(what, SILENT * slow + 3.0) + stage.ghost, start=at)
        at += seconds + stage.random.uniform(25, 50)
    stage.length = 200.0


def _freeze_one(stage: Stage, seconds: float) -> None:
    stage.freeze(stage.random.choice(_living(stage)), seconds)


def _cut_one(stage: Stage, seconds: float) -> None:
    stage.cut(stage.random.choice(_living(stage)), seconds)


def _jump(stage: Stage, seconds: float) -> None:
    stage.machines[0].wall_jumped += stage.random.choice((-300.0, 300.0)) * seconds
    stage.world.note(stage.machines[0].name, "wall clock jumps")


def _sleep(stage: Stage, seconds: float) -> None:
    machine = stage.machines[0]
    stage.world.note(machine.name, "sleeps")
    machine.sleep()
    for life in _living(stage):
        stage.spoiled.append((life.name, stage.world.now, stage.world.now + seconds))
    stage.world.after(seconds, machine.wake)


def backlog_start(stage: Stage) -> None:
    """Hundreds of messages wait when the first instance starts; it is handed over while it works on them."""
    store = stage.store()
    stage.world.at(0.0, stage.world.push, stage.random.randint(100, 400))
    stage.traffic(STEADY)
    handling = stage.random.uniform(0.1, 2.0)
    at = 2.0
    for _ in range(stage.random.randint(2, 3)):
        stage.world.at(at, partial(stage.process, store, handling=handling, start="takeover"))
        at += stage.random.uniform(0.5, 20.0)
    stage.excuse("backlog", at + 3.0 + stage.ghost)
    stage.length = at + 60.0


SCENARIOS: dict[str, Scenario] = {
    "one_store_handover_and_crash": Scenario(play=one_store),
    **{f"rival_{kind}": Scenario(play=partial(rival, kind), policies=POLICIES) for kind in RIVALS},
    "two_without_store": Scenario(play=two_without_store, policies=POLICIES),
    "incumbent_dies": Scenario(play=incumbent_dies, policies=POLICIES),
    "webhook_tug": Scenario(play=webhook_tug),
    "store_trouble": Scenario(play=store_trouble),
    "freezes_and_clocks": Scenario(play=freezes_and_clocks),
    "backlog_start": Scenario(play=backlog_start),
}
