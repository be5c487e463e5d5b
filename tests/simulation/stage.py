"""What a scenario is played on: machines, stores, processes, foreigners and messages of one run.

It also keeps what the judge must know: when who was frozen or cut off, and for which causes nobody need poll
for how long (`Excuse`).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from onepoller.testing.botapi import FAITHFUL, Rules
from onepoller.testing.botapi.rules import NEWCOMER_REFUSED
from tests.simulation.foreigners import Foreigner, WebhookSetter
from tests.simulation.frameworks import FRAMEWORKS
from tests.simulation.machines import Machine
from tests.simulation.processes import Process
from tests.simulation.stores import SharedStore
from tests.simulation.world import World

MODELS: dict[str, Rules] = {"published": FAITHFUL, "newcomer_refused": NEWCOMER_REFUSED}
LEASE = 10.0
START_LOOK = 6.0
"""`auto` looks so long on its own clock, when it starts without a predecessor in its store."""
GHOST = 45.0
"""A server that refuses newcomers refuses a successor too, while its predecessor's poll is parked there."""
RESTART_AFTER = 5.0
"""A supervisor starts a process that ended itself so much later, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """Between these moments nobody need poll."""

    start: float
    end: float
    cause: str


class Stage:
    """One run, being played."""

    def __init__(self, *, key: str, seed: int, policy: str, model: str) -> None:
        self.random = Random(key)
        self.world = World(seed, MODELS[model])
        self.world.random = self.random
        self.policy = policy
        self.model = model
        self.machines: list[Machine] = []
        self.stores: list[SharedStore] = []
        self.lives: list[Process] = []
        self.foreigners: list[Foreigner] = []
        self.setters: list[WebhookSetter] = []
        self.excuses: list[Excuse] = []
        self.spoiled: list[tuple[str, float, float]] = []
        """Which process was frozen or cut off from Telegram, from when until when."""
        self.storeless: list[tuple[str, float, float]] = []
        """The same for those cut off from their store."""
        self.length = 195.0
        self.newcomer_at = 0.0
        """When the last of ours started that is to find its place; convergence counts from here."""
        self.is_restarting = True
        self.slow = 1.0
        """So much longer do the slowest clock's bounds last."""
        self.is_idle = False
        self.waits_at_most = float("inf")
        """No message may wait longer for one of ours."""
        self.newcomers: list[float] = []
        """When somebody came while another had had the bot for long: nothing changes."""

    @property
    def ghost(self) -> float:
        """How long the poll of one who has gone may keep its successor out; a second where it does not."""
        return GHOST if self.model == "newcomer_refused" else 1.0

    # Who is there

    def machine(self, *, rate: float = 1.0) -> Machine:
        """Give a new host."""
        made = Machine(f"host{len(self.machines) + 1}", self.world, rate=rate)
        self.machines.append(made)
        return made

    def store(self, machine: Machine | None = None) -> SharedStore:
        """Give a new store, on a host of its own unless told otherwise."""
        made = SharedStore(machine or self.machine(), lambda: self.world.now, lease=LEASE)
        self.stores.append(made)
        return made

    def process(self, store: SharedStore, **options: Any) -> Process:
        """Start a process now."""
        place = self.stores.index(store)
        name = f"{'ABCDEFG'[place]}{1 + sum(life.store is store for life in self.lives)}"
        options.setdefault("framework", self.random.choice(sorted(FRAMEWORKS)))
        options.setdefault("on_rival", self.policy)
        life = Process(self.world, name, store, **options)
        self.lives.append(life)
        self.excuse("start", START_LOOK / min(1.0, life.machine.rate) if self.policy == "auto" else 1.0)
        if self.is_restarting:
            self.world.after(1.0, self._supervise, life)
        return life

    def newcomer(self) -> None:
        """Somebody comes now, and whoever has the bot has had it for long."""
        self.newcomers.append(self.world.now)

    def foreigner(self, kind: str, *, handling: float = 0.0) -> Foreigner:
        """Give a foreign poller, which does not poll yet."""
        made = Foreigner(self.world, kind, f"rival {kind}", handling=handling)
        self.foreigners.append(made)
        return made

    def webhook_setter(self) -> WebhookSetter:
        """Give somebody who may set a webhook."""
        made = WebhookSetter(self.world)
        self.setters.append(made)
        return made

    def _supervise(self, life: Process) -> None:
        if life.is_alive:
            self.world.after(1.0, self._supervise, life)
        elif life.wants_to_end:
            self.excuse("restart", RESTART_AFTER)
            self.world.after(RESTART_AFTER, lambda: self.process(life.store, framework=life.framework.name))

    # What happens

    def excuse(self, cause: str, seconds: float, *, start: float | None = None) -> None:
        """Nobody need poll from now (or then) on, for so long."""
        start = self.world.now if start is None else start
        self.excuses.append(Excuse(start=start, end=start + seconds, cause=cause))

    def freeze(self, life: Process, seconds: float) -> None:
        """Stop a process for so long."""
        if not life.is_alive or life.is_frozen:
            return
        life.freeze()
        self.spoiled.append((life.name, self.world.now, self.world.now + seconds))
        self.world.after(seconds, life.thaw)

    def cut(self, life: Process, seconds: float) -> None:
        """Cut a process off from Telegram for so long."""
        if not life.is_alive or life.is_cut:
            return
        self.world.note(life.name, "is cut off from Telegram")
        life.is_cut = True
        self.spoiled.append((life.name, self.world.now, self.world.now + seconds))
        self.world.after(seconds, self._join, life)

    def _join(self, life: Process) -> None:
        self.world.note(life.name, "reaches Telegram again")
        life.is_cut = False

    def traffic(self, every: float, *, burst: int = 1, start: float = 0.0) -> None:
        """Have messages come, at random moments that are `every` seconds apart on average."""
        self.world.at(start + self.random.expovariate(1 / every), self._message, every, burst)

    def _message(self, every: float, burst: int) -> None:
        self.world.push(burst)
        self.world.after(self.random.expovariate(1 / every), self._message, every, burst)

    def play(self) -> None:
        """Let it happen, and clean up."""
        self.world.run(self.length)

    def clear(self) -> None:
        """Let go of everything."""
        for life in self.lives:
            life.bury()
