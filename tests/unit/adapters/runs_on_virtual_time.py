"""Supervisors with instances and the reference store on one virtual loop; their children are fakes."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import Any

from onepoller.adapters.command import Restart, Supervisor, tenure
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.instance import Instance
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.testing.virtual import LoopRunner, run_virtual

BOT = BotId(42)
FOREVER = 1e9


class FlakyStore(MemoryStore):
    """A store that can be away."""

    is_away = False

    async def beat(self, *arguments: Any, **options: Any) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        await super().beat(*arguments, **options)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How the children of one supervisor are: they live so long, end with this code, clean up so long."""

    lasts: float = FOREVER
    code: int = 0
    cleaning: float = 0.0


class FakeChild:
    """A life on virtual time; ends of itself, or `cleaning` seconds after it was told to."""

    pid = 7

    def __init__(self, process: Process) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self.signals: list[int] = []
        self._ending: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(process.kind.lasts, self._over, process.kind.code)
        process.tell("began")

    def _over(self, code: int) -> None:
        self._timer.cancel()
        if not self.ended.done():
            self.ended.set_result(code)
            self._process.tell("ended")

    def send(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGHUP:
            self._over(128 + number)

    def end(self, number: int = signal.SIGTERM) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = self._loop.create_task(self._end(number))
        return self._ending

    async def _end(self, number: int) -> None:
        if not self.ended.done():
            self.signals.append(number)
            await asyncio.sleep(self._process.kind.cleaning)
            self._over(128 + number)


class Process:
    """One `onepoller run`."""

    def __init__(
        self,
        world: World,
        name: str,
        kind: Kind,
        *,
        restart: Restart = Restart.NEVER,
        hold: Any = tenure.hold,
        **settings: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.kind = kind
        self.children: list[FakeChild] = []
        self.said: list[str] = []
        self._world = world
        identity = Identity(
            host=name, boot_id="b", pid_namespace=1, pid=1, start_ticks=1, started_at=0.0, label=name
        )
        self.instance = Instance(
            store=world.store,
            identity=identity,
            settings=Settings.parse(settings),
            emit=lambda _: None,
            end_process=lambda _: self.supervisor.receive(signal.SIGTERM),
            kill=world.kill,
            clocks=Clocks(monotonic=loop.time, boot=loop.time, wall=loop.time, chance=lambda: 0.5),
        )
        self.runner = LoopRunner(self.instance.run())
        self.instance.run_on(self.runner)
        self.supervisor = Supervisor(
            self.instance.guard(BOT),
            name=name,
            start=self._start,
            restart=restart,
            hold=hold,
            tell=self.said.append,
            chance=lambda: 0.0,
        )
        self.task = loop.create_task(self.supervisor.run())
        world.processes.append(self)

    def _start(self) -> FakeChild:
        if self.kind.lasts < 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.children.append(FakeChild(self))
        return self.children[-1]

    def tell(self, what: str) -> None:
        """Note what a child did, and when."""
        self._world.log.append((round(asyncio.get_running_loop().time(), 3), self.name, what))

    def times(self, what: str) -> list[float]:
        """When its children did that."""
        return [at for at, name, did in self._world.log if (name, did) == (self.name, what)]

    async def stop(self) -> None:
        """SIGTERM, where it still lives; then the instance."""
        if not self.task.done():
            self.supervisor.receive(signal.SIGTERM)
        await asyncio.gather(self.task, return_exceptions=True)
        self.runner.stop(0)
        await self.runner.join()


class World:
    """Some of them around one store."""

    def __init__(self) -> None:
        self.store = FlakyStore(lease=10.0, clock=asyncio.get_running_loop().time)
        self.processes: list[Process] = []
        self.log: list[tuple[float, str, str]] = []

    async def kill(self, _: Identity) -> None:
        """`replace` is not under test."""
        raise NotImplementedError

    def living(self) -> int:
        """The largest number of children that ever lived at once."""
        alive = most = 0
        for _, _, what in self.log:
            alive += 1 if what == "began" else -1
            most = max(most, alive)
        return most


def on_virtual_time(story: Any) -> None:
    """Run a story, and end everybody."""

    async def main() -> None:
        world = World()
        try:
            await story(world)
        finally:
            for process in world.processes:
                await process.stop()

    run_virtual(main())
