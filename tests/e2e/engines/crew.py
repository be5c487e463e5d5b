"""A few workers that guard the same bots, each with a way to the store that can be broken."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from onepoller.coordination.identity import boot_clock
from tests.e2e.bots.processes import PROGRAMS, ROOT, Bot
from tests.e2e.engines.fault_proxy import FaultProxy
from tests.e2e.engines.history import History
from tests.e2e.engines.updates import Updates

PATIENCE = 60.0
LOOK_EVERY = 0.02


class Crew:
    """Workers by name; those who have ended may be started again.

    `port`: the store's server; `url`: what `store=` takes for whoever reaches it at a port.
    """

    def __init__(
        self, folder: Path, *, url: Callable[[int], str], port: int, lease: float, bots: int, every: float
    ) -> None:
        self.names: list[str] = []
        self.lease = lease
        self.proxies: dict[str, FaultProxy] = {}
        self.pids: dict[str, int] = {}
        self.deaths: list[tuple[int, float]] = []
        """Whom we have killed, and when: the moment before."""
        self._lives: dict[str, str] = {}
        """The process of each worker by the name that it was forked under, which is never used again."""
        self._forked = itertools.count(1)
        self._folder = folder
        self._url = url
        self._port = port
        self._file = folder / "updates"
        self.updates = Updates.make(self._file, bots=bots, every=every)
        self._stack = ExitStack()
        self._parent = Bot(
            "parent", [sys.executable, str(PROGRAMS / "herd.py"), "worker"], self._environment(), self.log
        )

    def __enter__(self) -> Self:
        """Nobody works yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all of them, and the proxies."""
        self._parent.close()
        self._stack.close()

    @property
    def log(self) -> Path:
        """What all of them have logged."""
        return self._folder / "workers.log"

    def _environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith("ONEPOLLER_")}
        return kept | {"PYTHONPATH": str(ROOT), "ONEPOLLER_LEASE": str(self.lease)}

    def start(self, name: str) -> None:
        """Start a worker, or start it again: a fresh process with the same way to the store."""
        if name not in self.proxies:
            self.names.append(name)
            self.proxies[name] = self._stack.enter_context(FaultProxy(self._port))
        self._lives[name] = life = f"{name}{next(self._forked)}"
        history = self._folder / f"{life}.history"
        arguments = [life, self._url(self.proxies[name].port), str(self._file), str(history)]
        heard = len(self._parent.said)
        self._parent.tell(json.dumps({"fork": life, "arguments": arguments, "environment": {}}))
        self.pids[name] = self._heard("forked", since=heard, name=life)
        self._heard("began", since=heard, pid=self.pids[name])

    def _heard(self, what: str, *, since: int, **fields: object) -> int:
        def found() -> int | None:
            for said in self._parent.said[since:]:
                if what in said and fields.items() <= said.items():
                    return int(said[what])
            return None

        self._parent.wait(lambda _: found() is not None, timeout=PATIENCE)
        number = found()
        assert number is not None
        return number

    def kill(self, name: str) -> None:
        """`kill -9`, and wait until it is gone."""
        self.deaths.append((self.pids[name], boot_clock()))
        self._end(name, signal.SIGKILL)

    def end(self, name: str) -> None:
        """SIGTERM, and wait until it has ended in good order."""
        self._end(name, signal.SIGTERM)

    def _end(self, name: str, number: signal.Signals) -> None:
        os.kill(self.pids.pop(name), number)
        life = self._lives[name]
        self._parent.wait(
            lambda parent: any(said.get("ended") == life for said in parent.said), timeout=PATIENCE
        )

    def freeze(self, name: str) -> None:
        """SIGSTOP, and wait until it stands still."""
        os.kill(self.pids[name], signal.SIGSTOP)
        end = time.monotonic() + PATIENCE
        while Path(f"/proc/{self.pids[name]}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end, f"{name} does not stand still"
            time.sleep(LOOK_EVERY / 10)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self.pids[name], signal.SIGCONT)

    def hand_over(self, name: str) -> None:
        """Ask it to hand over what it holds."""
        os.kill(self.pids[name], signal.SIGUSR1)

    def wait_served(self, *, patience: float = PATIENCE) -> None:
        """Wait until every bot has had an update confirmed that was not confirmed before."""
        before = self.updates.confirmed()
        self._wait(lambda now: all(now[bot] > before[bot] for bot in before), patience, "not served")

    def finish(self) -> dict[int, range]:
        """Send no more, and wait until all that was sent is confirmed; what was sent to each bot."""
        made = self.updates.stop()
        self._wait(lambda now: all(now[bot] >= len(made[bot]) for bot in made), PATIENCE, "not delivered")
        return made

    def _wait(self, is_so: Callable[[dict[int, int]], bool], patience: float, text: str) -> None:
        end = time.monotonic() + patience
        while not is_so(now := self.updates.confirmed()):
            assert time.monotonic() < end, f"{text}: {now}; {self.log.read_text()[-3000:]}"
            time.sleep(LOOK_EVERY)

    def history(self) -> History:
        """What all of them have written."""
        return History.read(sorted(self._folder.glob("*.history")), deaths=self.deaths)
