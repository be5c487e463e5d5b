"""What goes wrong in a run, from one seed: one fault after the other, in a third of them two at once.

A *strike* is one fault on one worker, or on the server and so on everybody. How it counts: a cycle is one
fault on one claim, so a strike on a worker counts the claims that it believed in at that moment, and one on
the server those that anybody did.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from onepoller.coordination.identity import boot_clock
from tests.e2e.engines.crew import Crew
from tests.e2e.engines.engine_kinds import Breakable
from tests.e2e.engines.fault_proxy import Way
from tests.e2e.engines.history import History

TWICE = 0.35
"""How often a second fault begins during the first, on another worker."""
GRACE = 3.0
"""After a fault of the server everybody has a lease and so many seconds to come back."""
ON_PROCESSES = ("kill", "freeze", "blink", "hand over", "quit")
ON_CONNECTIONS = ("blackhole", "mute", "unheard", "slow", "reset", "forgotten", "dropped", "refused")
ON_HANDOVERS = ("cut as it lets go", "silent as it lets go", "cut as it inherits", "silent as it inherits")
PIECES = (1, 2, 3, 4, 8)
"""At which piece of data, in one direction, a handover breaks: a question, a write, and an answer to each.

Where each claim is written by itself (etcd, Kubernetes, a pooler) there are more.
"""
NO_LOSSES: Mapping[str, Callable[[Any], None]] = {}
ON_SERVERS = ("restart", "crash", "server freezes", "server blinks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault that was."""

    kind: str
    pid: int | None
    """Of the worker; None: the server's."""
    start: float
    end: float


class Nemesis:
    """Strikes at the workers, and at the server where there is one."""

    def __init__(
        self,
        crew: Crew,
        *,
        seed: int,
        server: Breakable | None = None,
        losses: Mapping[str, Callable[[Any], None]] = NO_LOSSES,
        spared: Collection[str] = (),
    ) -> None:
        self.strikes: list[Strike] = []
        self._crew = crew
        self._server = server
        self._losses = losses
        self._random = random.Random(seed)
        connections = tuple(kind for kind in ON_CONNECTIONS if server is not None and kind not in spared)
        handovers = ON_HANDOVERS if server is not None else ()
        self._on_workers = (*ON_PROCESSES, *connections, *handovers)
        self.kinds = self._on_workers if server is None else (*self._on_workers, *ON_SERVERS, *losses)
        self._left: list[str] = list(handovers)  # first of all, so that a short run has them

    def strike(self) -> None:
        """One fault or two, and wait until every bot is served again."""
        kind = self._next()
        names = self._random.sample(self._crew.names, 2)
        if kind in ON_HANDOVERS:
            names.sort(key=self._held, reverse=kind.endswith("lets go"))
        with self._fault(kind, names[0]):
            if self._random.random() < TWICE:
                with self._fault(self._random.choice(self._beside(kind)), names[1]):
                    pass
        self._crew.wait_served()
        if kind in self._losses:
            time.sleep(self._crew.lease)

    def _beside(self, kind: str) -> Sequence[str]:
        """What may happen during this fault.

        A process that starts in the lease after a loss knows nothing of it, and may take what another one
        still delivers: that limit is stated (docs/redis.md, docs/etcd.md, docs/postgresql.md), and not struck
        at.
        """
        return [
            other for other in self._on_workers if kind not in self._losses or other not in {"kill", "quit"}
        ]

    def _next(self) -> str:
        """Every kind once before any comes again."""
        if not self._left:
            self._left = self._random.sample(self.kinds, len(self.kinds))
        return self._left.pop()

    @contextmanager
    def _fault(self, kind: str, name: str) -> Iterator[None]:
        pid = None if self._is_on_server(kind) else self._crew.pids[name]
        start = boot_clock()
        with self._of(kind, name):
            yield
        self.strikes.append(Strike(kind=kind, pid=pid, start=start, end=boot_clock()))

    def _is_on_server(self, kind: str) -> bool:
        return kind in ON_SERVERS or kind in self._losses

    def _of(self, kind: str, name: str) -> AbstractContextManager[None]:
        if kind in ON_PROCESSES:
            return self._on_process(kind, name)
        if kind in ON_CONNECTIONS:
            return self._on_connections(kind, name)
        if kind in ON_HANDOVERS:
            return self._on_handover(kind, name)
        return self._on_server(kind)

    @contextmanager
    def _on_process(self, kind: str, name: str) -> Iterator[None]:
        crew = self._crew
        match kind:
            case "kill":
                crew.kill(name)
                yield
                self._wait(0.0, 1.5)
                crew.start(name)
            case "freeze" | "blink":
                crew.freeze(name)
                yield
                self._wait(*((1.2, 1.6) if kind == "freeze" else (0.1, 0.7)))
                crew.thaw(name)
            case "hand over":
                crew.hand_over(name)
                yield
            case _:
                crew.end(name)
                yield
                self._wait(0.0, 0.2)
                crew.start(name)

    @contextmanager
    def _on_connections(self, kind: str, name: str) -> Iterator[None]:
        proxy = self._crew.proxies[name]
        lasts = (1.2, 1.6)
        match kind:
            case "blackhole":
                proxy.blackhole()
            case "mute":
                proxy.blackhole(Way.UP)
            case "unheard":
                proxy.blackhole(Way.DOWN)
            case "slow":
                proxy.delay(self._random.uniform(0.02, 0.3) * self._crew.lease)
            case "refused":
                proxy.refuse()
            case "reset":
                proxy.reset()
                lasts = (0.0, 0.3)
            case _:
                proxy.forget(server_hears=kind == "dropped")
                lasts = (0.0, 1.5)
        yield
        self._wait(*lasts)
        proxy.heal()

    @contextmanager
    def _on_handover(self, kind: str, name: str) -> Iterator[None]:
        """The connection of who lets go, or of an heir, breaks at one of the pieces that a handover is."""
        crew = self._crew
        proxy = crew.proxies[name]
        is_cut = kind.startswith("cut")
        order = proxy.reset if is_cut else proxy.blackhole
        struck = proxy.plan(order, self._random.choice(list(Way)), self._random.choice(PIECES))
        for other in [name] if kind.endswith("lets go") else sorted(crew.pids.keys() - {name}):
            crew.hand_over(other)
        struck.wait(crew.lease)  # in vain where nothing passes, for another fault
        yield
        self._wait(*((0.0, 0.3) if is_cut else (0.1, 1.6)))
        proxy.heal()

    @contextmanager
    def _on_server(self, kind: str) -> Iterator[None]:
        server = self._server
        assert server is not None
        match kind:
            case "restart" | "crash":
                (server.stop if kind == "restart" else server.kill)()
                yield
                self._wait(0.0, 1.5)
                server.start()
            case "server freezes" | "server blinks":
                server.freeze()
                yield
                self._wait(*((1.2, 1.6) if kind == "server freezes" else (0.1, 0.7)))
                server.thaw()
            case _:
                self._losses[kind](server)
                yield

    def _wait(self, least: float, most: float) -> None:
        """Go on for a part of the lease."""
        time.sleep(self._random.uniform(least, most) * self._crew.lease)

    def _held(self, name: str) -> int:
        """How many claims a worker holds."""
        (held,) = self._crew.history().held([(boot_clock(), self._crew.pids[name])])
        return held

    def excused(self) -> list[tuple[float, float]]:
        """When the store could not be reached by anybody, and a moment more."""
        return [
            (strike.start, strike.end + self._crew.lease + GRACE)
            for strike in self.strikes
            if strike.pid is None
        ]

    def cycles(self, history: History) -> Counter[str]:
        """Faults on claims so far, by kind."""
        held = history.held((strike.start, strike.pid) for strike in self.strikes)
        count: Counter[str] = Counter()
        for strike, claims in zip(self.strikes, held, strict=True):
            count[strike.kind] += claims
        return count
