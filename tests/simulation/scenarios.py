"""The scenarios: what is set up, and what happens to it. Each draws its own details from the run's seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from onepoller.coordination.settings import OnRival
from tests.simulation.apart import (
    BUSY,
    IDLE,
    STEADY,
    freezes_without_store,
    incumbent_dies,
    poller,
    two_without_store,
)
from tests.simulation.foreigners import RIVALS
from tests.simulation.processes import Process
from tests.simulation.stage import LEASE, START_LOOK, Stage

POLICIES = tuple(str(policy) for policy in OnRival)
_USUAL = tuple(policy for policy in POLICIES if policy in {"auto", "hold"})
"""The policies where nobody is a rival."""
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
        # Its poll ends before its deadline, and leaves a ghost.
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
    rate = stage.random.choice((0.5, 0.8, 1.0, 1.25, 2.0))
    if stage.model == "newcomer_refused":
        rate = min(
            rate, 1.1
        )  # a faster clock gives up its own long polls there, and is refused for their ghosts
    machine = stage.machine(rate=rate)
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
        look = START_LOOK * slow if stage.policy == "auto" else 0.0  # who thaws may be a newcomer
        bound = {_jump: 0.0, _sleep: seconds + 15.0 * slow, _cut_one: seconds + 42.0 * slow}
        stage.excuse(what.__name__[1:], bound.get(what, SILENT * slow + 3.0 + look) + stage.ghost, start=at)
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
    handling = stage.random.uniform(0.1, 1.8)
    at = 2.0
    for _ in range(stage.random.randint(2, 3)):
        stage.world.at(at, partial(stage.process, store, handling=handling, start="takeover"))
        at += stage.random.uniform(0.5, 20.0)
    stage.excuse("backlog", at + 3.0 + stage.ghost)
    stage.length = at + 60.0


def slow_rival(stage: Stage) -> None:
    """A foreign poller that handles for longer than we look: from outside it seems to be gone each time."""
    stage.traffic(BUSY)
    stage.process(stage.store())
    foreigner = stage.foreigner("fixed", handling=stage.random.uniform(9.0, 13.0))
    comes = stage.random.uniform(20, 30)
    stage.world.at(comes, foreigner.start)
    stage.excuse("rival", 1000.0, start=comes)
    stage.length = comes + 300.0


def poll_loop_ends(stage: Stage) -> None:
    """The poll loop of the one that polls dies, and its process lives on; another one waits."""
    store = stage.store()
    stage.traffic(STEADY)
    for at in (0.0, stage.random.uniform(1, 5)):
        stage.world.at(at, partial(stage.process, store))
    at = stage.random.uniform(20, 40)
    stage.world.at(at, _hang_poller, stage)
    stage.excuse("poll loop", SILENT_LOOP + stage.ghost, start=at)
    stage.length = at + SILENT_LOOP + 60.0


SILENT_LOOP = 35.0
"""A poll may have to end first, 10 s; then a framework that fetches ahead is given 20 s, and others one."""


def _hang_poller(stage: Stage) -> None:
    life = poller(stage)
    life.hang()
    stage.spoiled.append((life.name, stage.world.now, stage.length))


SCENARIOS: dict[str, Scenario] = {
    "one_store_handover_and_crash": Scenario(play=one_store),
    **{f"rival_{kind}": Scenario(play=partial(rival, kind), policies=POLICIES) for kind in RIVALS},
    "two_without_store": Scenario(play=two_without_store, policies=POLICIES),
    "incumbent_dies": Scenario(play=incumbent_dies, policies=POLICIES),
    "freezes_without_store": Scenario(play=freezes_without_store, policies=_USUAL),
    "slow_rival": Scenario(play=slow_rival, policies=("auto", "yield")),
    "poll_loop_ends": Scenario(play=poll_loop_ends),
    "webhook_tug": Scenario(play=webhook_tug),
    "store_trouble": Scenario(play=store_trouble),
    "freezes_and_clocks": Scenario(play=freezes_and_clocks),
    "backlog_start": Scenario(play=backlog_start),
}
