"""Bots as processes: what the tests of this folder start, hear, tell and end.

Every process is ended by its own pid when its test ends; all of them end by themselves with their stdin.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.e2e.bots.at_server import PATIENCE, Telegram

PROGRAMS = Path(__file__).parent
ROOT = PROGRAMS.parents[2]
KINDS = {
    "bare": "bare.py",
    "ptb": "ptb.py",
    "aiogram": "aiogram_bot.py",
    "telebot": "telebot_bot.py",
    "by hand": "by_hand.py",
    "herd": "herd.py",
}
"""The programs of this folder that take a name, a server, a token, and options."""
_LOOK_EVERY = 0.1
"""Seconds between two looks at a bot's log."""
_ORDERS = 3


class Bot:
    """One process of a bot. Its lines are read by a thread; everything else is the caller's."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: dict[str, str],
        log: Path,
        popen: Callable[..., Any] = subprocess.Popen,
    ) -> None:
        self.name = name
        self.said: list[dict[str, Any]] = []
        self._log = log
        with log.open("w") as stderr:
            self.process = popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                cwd=ROOT,
                text=True,
            )
        self.pid = self.process.pid
        self._news = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read, name=f"reader of {name}", daemon=True)
        self._reader.start()

    def __repr__(self) -> str:
        return f"<Bot {self.name}, pid {self.pid}>"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    @property
    def handled(self) -> list[int]:
        """The updates that it handled."""
        return [said["handled"] for said in list(self.said) if "handled" in said]

    @property
    def log(self) -> str:
        """Its stderr."""
        return self._log.read_text(errors="replace")

    def wait(self, condition: Callable[[Self], bool], *, timeout: float = PATIENCE) -> None:
        """Wait until a condition on what it said, or logged, holds: of the log there is no news, so look."""
        end = time.monotonic() + timeout
        with self._news:
            while not (condition(self) or self._is_over) and time.monotonic() < end:
                self._news.wait(_LOOK_EVERY)
            assert condition(self), f"{self} said {self.said[-8:]}; its log: {self.log[-2000:]}"

    def wait_said(self, *, since: int = 0, timeout: float = PATIENCE, **fields: object) -> dict[str, Any]:
        """Wait until it has said something with these fields, beyond the first `since` things."""

        def found(bot: Self) -> dict[str, Any] | None:
            return next((said for said in bot.said[since:] if fields.items() <= said.items()), None)

        self.wait(lambda bot: found(bot) is not None, timeout=timeout)
        said = found(self)
        assert said is not None
        return said

    def wait_handled(self, updates: Sequence[int], *, timeout: float = PATIENCE) -> None:
        """Wait until it has handled all of these."""
        self.wait(lambda bot: set(updates) <= set(bot.handled), timeout=timeout)

    def tell(self, *words: str) -> None:
        """Give an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def hand_over(self, telegram: Telegram, *, to: str) -> None:
        """Give the order, and wait for the heir; again where it was too slow, and the bot taken back."""
        for _ in range(_ORDERS):
            self.tell("hand_over")
            with suppress(TimeoutError):
                telegram.wait_parked(to, timeout=PATIENCE / _ORDERS)
                return
        raise AssertionError(f"{self} was told {_ORDERS} times to hand over to {to}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal; after SIGSTOP, wait until it is frozen."""
        os.kill(self.pid, number)
        while number is signal.SIGSTOP and not _is_frozen(self.pid):
            time.sleep(0.001)

    def kill(self) -> None:
        """Send SIGKILL: nobody can prepare for that."""
        self.process.kill()

    def ended(self, *, timeout: float = PATIENCE) -> int:
        """Wait until it has ended and everything that it said is read; its exit code."""
        code: int = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def close(self) -> None:
        """End it if it lives, and close what is open."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for child in [said["forked"] for said in self.said if "forked" in said]:
            if _is_ours(child):
                os.kill(child, signal.SIGKILL)
        self._reader.join(PATIENCE)
        with suppress(OSError):  # its reader may be gone
            self.process.stdin.close()
        self.process.stdout.close()


def _is_frozen(pid: int) -> bool:
    """Whether all of its threads have stopped; `waitid` tells that of one's own children only."""
    stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(") ")[2].startswith("T") for stat in stats)


class Bots:
    """The processes of one test. They share one state directory and nobody else's settings."""

    def __init__(
        self, telegram: Telegram, folder: Path, popen: Callable[..., Any] = subprocess.Popen
    ) -> None:
        """`popen` starts what needs no interpreter of its own."""
        self.telegram = telegram
        self.state = folder / "state"
        self._folder = folder
        self._all: list[Bot] = []
        self._popen = popen

    def __iter__(self) -> Iterator[Bot]:
        """Everybody who was started."""
        return iter(self._all)

    def close(self) -> None:
        """End all of them."""
        for bot in self._all:
            bot.close()

    def bare(self, name: str, *options: str, before: Sequence[str] = (), **settings: Any) -> Bot:
        """Start a bare loop. Settings are those of the environment: `lease=2` is ONEPOLLER_LEASE=2."""
        return self.start("bare", name, *options, before=before, **settings)

    def ptb(self, name: str, *options: str, before: Sequence[str] = (), **settings: Any) -> Bot:
        """Start a python-telegram-bot application."""
        return self.start("ptb", name, *options, before=before, **settings)

    def pair(self, *options: str, kind: str = "bare", **settings: Any) -> tuple[Bot, Bot]:
        """Start a holder, `a`, and when it polls a standby, `b`."""
        holder = self.start(kind, "a", *options, **settings)
        self.telegram.wait_parked("a")
        standby = self.start(kind, "b", *options, **settings)
        standby.wait_said(role="standby")
        return holder, standby

    def handled(self) -> Counter[int]:
        """How often each update was handled, by whomever."""
        return Counter(update for bot in self._all for update in bot.handled)

    def wait_all_handled(self, *, timeout: float = PATIENCE) -> Counter[int]:
        """End the stream of messages, and wait until each has been handled by somebody."""
        self.telegram.control.stop_push(self.telegram.bot_id)
        pushed = set(self.telegram.pushed())
        deadline = time.monotonic() + timeout
        while missing := pushed - set(self.handled()):
            assert time.monotonic() < deadline, (
                f"{len(missing)} of {len(pushed)} were never handled: {min(missing)} ..."
            )
            time.sleep(0.05)
        return self.handled()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on the state directory."""
        return subprocess.run(
            [sys.executable, "-m", "onepoller", *arguments],
            env=self.environment({}),
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE,
        )

    def environment(self, settings: dict[str, object]) -> dict[str, str]:
        """The environment of a bot: these settings, no others, no proxy.

        With a store on a server and `state_dir=None` it is on a host of its own.
        """
        kept = {
            n: v
            for n, v in os.environ.items()
            if not n.startswith("ONEPOLLER_") and not n.lower().endswith("_proxy")
        }
        named = {"state_dir": self.state, "lease": 2} | settings
        if "store" in settings and named["state_dir"] is None:
            named["state_dir"] = self._folder / f"host of {settings.get('label')}"
        return (
            kept
            | {"PYTHONPATH": str(ROOT)}
            | {f"ONEPOLLER_{n.upper()}": str(v) for n, v in named.items() if v is not None}
        )

    def herd(self, kind: str) -> Herd:
        """Start a warm parent that forks bots."""
        return Herd(self.start("herd", kind), self.telegram)

    def start(
        self,
        kind: str,
        name: str,
        *options: str,
        before: Sequence[str] = (),
        url: str = "",
        **settings: object,
    ) -> Bot:
        """Start a bot of this kind: one of this folder's programs. `url`: not at the server, at a proxy."""
        command = [
            *before,
            sys.executable,
            str(PROGRAMS / KINDS[kind]),
            name,
            url or self.telegram.url,
            self.telegram.token,
            *options,
        ]
        log = self._folder / f"{len(self._all)}-{name}.log"
        is_its_own = before or kind == "herd"  # which is a warm parent itself
        popen = subprocess.Popen if is_its_own else self._popen
        bot = Bot(name, command, self.environment({"label": name} | settings), log, popen)
        self._all.append(bot)
        return bot


class Herd:
    """Bots forked from one warm parent, each with a name; `living` are those that were not killed."""

    def __init__(self, parent: Bot, telegram: Telegram) -> None:
        self.parent = parent
        self.living: set[str] = set()
        self._telegram = telegram

    def fork(self, name: str, *options: str, **settings: object) -> None:
        """Start one more."""
        env = {f"ONEPOLLER_{n.upper()}": str(v) for n, v in ({"label": name} | settings).items()}
        arguments = [name, self._telegram.url, self._telegram.token, *options]
        self.parent.tell(json.dumps({"fork": name, "arguments": arguments, "environment": env}))
        self.living.add(name)

    def kill(self, *names: str) -> None:
        """Send SIGKILL."""
        for name in names:
            self.living.discard(name)
            self.parent.tell(json.dumps({"kill": name}))

    def clear(self) -> None:
        """Kill all that live, and wait until they are gone."""
        gone = set(self.living)
        self.kill(*gone)
        self.parent.wait(lambda _: gone <= self.codes().keys())

    def codes(self) -> dict[str, int]:
        """The exit codes of those that have ended."""
        return {said["ended"]: said["code"] for said in list(self.parent.said) if "ended" in said}

    def wait_settled(self) -> None:
        """Wait until each that lives has said what it is."""
        self.parent.wait(lambda _: self.living <= self.roles().keys())

    def roles(self) -> dict[str, str]:
        """What each said last."""
        names = {said["forked"]: said["name"] for said in self.parent.said if "forked" in said}
        told = [said for said in list(self.parent.said) if "role" in said and said["pid"] in names]
        return {names[said["pid"]]: said["role"] for said in told}


def _is_ours(pid: int) -> bool:
    """Whether this pid is still a Python program that was started here: pids are used again."""
    try:
        return str(PROGRAMS).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
