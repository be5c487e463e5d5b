"""A process of ours: the real instance and guard, and a framework that polls as frameworks do.

It runs on a loop of its own, whose clock is its machine's. It can be frozen (nothing of it runs, its clocks
go on), killed (no goodbye; the kernel closes its connections and lets go of its locks), cut off from
Telegram, and stopped as its user would.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onepoller.coordination import driving, events
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.instance import Instance
from onepoller.coordination.settings import Settings
from onepoller.coordination.wire import Delivered, Refused, Request
from onepoller.testing.botapi import Rival
from onepoller.testing.virtual import LoopRunner
from tests.simulation.frameworks import FRAMEWORKS
from tests.simulation.loops import SteppedLoop
from tests.simulation.stores import Seat, SharedStore
from tests.simulation.wires import TelegramWire, Unreachable
from tests.simulation.world import BOT, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A batch that a framework was given. `is_ours`: the store said so at that moment."""

    at: float
    who: str
    ids: tuple[int, ...]
    is_ours: bool


class Process:
    """One life of one process. The names of lives differ."""

    def __init__(
        self,
        world: World,
        name: str,
        store: SharedStore,
        *,
        framework: str = "ptb",
        handling: float = 0.0,
        **settings: Any,
    ) -> None:
        self.name = name
        self.store = store
        self.machine = store.machine
        self.framework = FRAMEWORKS[framework]
        self.settings = settings
        self.taken: list[Taken] = []
        self.refused: list[float] = []
        """When the framework saw a 409."""
        self.is_frozen = False
        self.is_cut = False
        self.ended_at = math.inf
        self.leaves_at = math.inf
        """When it was killed, or told to end."""
        self.is_hung = False
        self.started_at = world.now
        self.wants_to_end = ""
        self._handling = handling
        self._dawdles: tuple[float, Callable[[], None]] | None = None
        self._world = world
        self.seat = Seat(store, name, world.random)
        self.loop = SteppedLoop(self.machine.monotonic, world.spend)
        self._wire = TelegramWire(self, world, self.framework.manners)
        self.instance = Instance(
            store=self.seat,
            identity=Identity(
                host=self.machine.name,
                boot_id=self.machine.name,
                pid_namespace=1,
                pid=len(world.processes) + 1,
                start_ticks=1,
                started_at=self.machine.wall(),
                label=name,
            ),
            settings=Settings.parse({"label": name, **settings}),
            emit=self._heard,
            end_process=self._end_process,
            kill=_kill_nobody,
            clocks=Clocks(
                monotonic=self.machine.monotonic,
                boot=self.machine.boot,
                wall=self.machine.wall,
                chance=world.random.random,
            ),
        )
        self._polling: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        world.note(name, "starts")
        world.processes.append(self)
        self.loop.post(self._boot)

    # The world drives it

    @property
    def wakes_at(self) -> float:
        """When it wants to run, on the world's clock."""
        if self.is_frozen or self.machine.is_asleep:
            return math.inf
        due = self.loop.due
        return due if math.isinf(due) else self.machine.when(due)

    def run(self) -> None:
        """Do all that is to be done now."""
        self.loop.run()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return math.isinf(self.ended_at)

    # What can happen to it

    def freeze(self) -> None:
        """SIGSTOP."""
        self._world.note(self.name, "is frozen")
        self.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self._world.note(self.name, "is thawed")
        self.is_frozen = False

    def crash(self) -> None:
        """SIGKILL."""
        if self.is_alive:
            self._world.note(self.name, "is killed")
            self.leaves_at = min(self.leaves_at, self._world.now)
            self.seat.die()
            self._over()

    def stop(self) -> None:
        """Its user ends it."""
        if self.is_alive and self._stopping is None:
            self._world.note(self.name, "is stopped")
            self.leaves_at = self._world.now
            self.loop.post(self._begin_stop)

    def hang(self) -> None:
        """Its poll loop ends when its call does; the process lives on."""
        self._world.note(self.name, "its poll loop dies")
        self.is_hung = True

    def dawdle(self, seconds: float, begins: Callable[[], None]) -> None:
        """Handle one batch, the next, for so long; tell when that begins."""
        self._dawdles = (seconds, begins)

    def bury(self) -> None:
        """Let go of everything, when the world has ended."""
        self.seat.is_gone = True
        self.ended_at = min(self.ended_at, self._world.now)
        self.loop.bury()

    def _over(self) -> None:
        self.ended_at = self._world.now
        self._wire.close_all()
        self._world.processes.remove(self)

    # Inside it

    def _boot(self) -> None:
        self.runner = LoopRunner(self.instance.run())
        self.instance.run_on(self.runner)
        self._polling = self.loop.create_task(self._poll())

    async def _poll(self) -> None:
        rival = Rival(self.framework.behaviour, self._world.random)
        guard = self.instance.guard(BotId(BOT))
        while not self.is_hung:
            arguments = rival.arguments()
            request = Request(
                offset=int(arguments.get("offset", 0)), timeout=float(arguments.get("timeout", 0))
            )
            self._offset = request.offset
            try:
                outcome = await driving.get_updates(guard, request, self._wire)
            except Unreachable:
                pause = rival.answered(status=0)
            else:
                match outcome:
                    case Delivered(update_ids=ids):
                        pause = rival.answered(status=200, update_ids=ids)
                        if ids:
                            self._given(ids)
                            pause += 0 if self.framework.manners.fetches_ahead else self._handles()
                    case Refused(status=status):
                        if status == 409:
                            self.refused.append(self._world.now)
                        pause = rival.answered(status=status)
                    case _:
                        pause = rival.answered(status=200)
            if pause:
                await asyncio.sleep(pause)

    @property
    def handled(self) -> list[tuple[float, float]]:
        """When its framework, if it does so before it polls again, handled what it was given."""
        if self.framework.manners.fetches_ahead:
            return []
        seconds = self._handling / self.machine.rate
        return [(taken.at, taken.at + seconds) for taken in self.taken]

    def _handles(self) -> float:
        if self._dawdles is None:
            return self._handling
        (seconds, begins), self._dawdles = self._dawdles, None
        self._world.note(self.name, f"handles for {seconds:.0f} s")
        begins()
        return seconds

    def _given(self, ids: Sequence[int]) -> None:
        is_ours = self.store.holds(self.seat.session)
        self.taken.append(Taken(at=self._world.now, who=self.name, ids=tuple(ids), is_ours=is_ours))

    def _begin_stop(self) -> None:
        self._stopping = self.loop.create_task(self._stop())

    async def _stop(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
            if self.framework.confirms:
                request = Request(offset=self._offset, timeout=0.0)
                with contextlib.suppress(Unreachable):
                    await driving.get_updates(self.instance.guard(BotId(BOT)), request, self._wire)
        self.runner.stop(0.0)
        await self.runner.join()
        self.seat.is_gone = True
        self._world.note(self.name, "has ended")
        self._over()

    def _end_process(self, reason: str) -> None:
        self.wants_to_end = reason
        self.stop()

    def _heard(self, event: events.Event) -> None:
        if type(event) in _TOLD and self.is_alive:
            self._world.note(self.name, event)


async def _kill_nobody(_: Identity) -> None:
    """No scenario asks for it."""


_TOLD = {
    events.RoleChanged,
    events.ClaimChanged,
    events.EpisodeOpened,
    events.EpisodeClosed,
    events.StoodBy,
    events.ConflictSeen,
    events.UpdateGap,
    events.UpdatesDropped,
    events.Stalled,
    events.StoreTrouble,
    events.SessionLost,
    events.ProcessEnding,
}
