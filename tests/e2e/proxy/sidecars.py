"""Proxies as processes, and bots behind them that know nothing of onepoller."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import ROOT, Bot

NODE = ROOT / "tests" / "e2e" / "node"
PYTHON_BOTS = Path(__file__).parent / "bots.py"
START = 60.0
"""Two bots that start at once on a busy machine, seconds: importing aiogram takes three of a processor."""
_LOOK_EVERY = 0.05
"""Seconds between two looks at a log."""
JAVASCRIPT = frozenset({"grammy", "runner", "telegraf"})
Lacking = Callable[[str], NoReturn]
"""`tests.conftest.lacking`."""


class Sidecar:
    """One `onepoller proxy`."""

    def __init__(self, options: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        command = [sys.executable, "-m", "onepoller", "proxy", "--listen", "127.0.0.1:0", *options]
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, env=environment, cwd=ROOT, text=True
            )
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline().strip()
        assert self.greeting.startswith("onepoller proxy on "), self.log
        self.url = self.greeting.split()[3]

    @property
    def log(self) -> str:
        """Its stderr."""
        return self._log.read_text()

    def is_polling(self) -> bool:
        """Wait until it has a bot's claim or has seen that another has it; whether it is the former."""
        self.wait_logged("polling bot", "standing by", timeout=START)
        return "polling bot" in self.log

    def wait_logged(self, *texts: str, timeout: float = PATIENCE) -> None:
        """Wait until one of these stands in its log."""
        end = time.monotonic() + timeout
        while not any(text in self.log for text in texts):
            assert time.monotonic() < end, f"none of {texts} in the log: {self.log[-2000:]}"
            time.sleep(_LOOK_EVERY)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it if it lives."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Sidecars:
    """The proxies and bots of one test; the proxies share a state directory."""

    def __init__(self, telegram: Telegram, folder: Path, lacking: Lacking) -> None:
        self.telegram = telegram
        self._folder = folder
        self._lacking = lacking
        self._proxies: list[Sidecar] = []
        self._bots: list[Bot] = []

    def proxy(self, *options: str, **settings: object) -> Sidecar:
        """Start a proxy."""
        named: dict[str, object] = {
            "on_rival": "hold",  # it looks before it polls else, and the tests count polls
            "state_dir": self._folder / "state",
            "lease": 2,
            "label": f"p{len(self._proxies)}",
        } | settings
        environment = _bare() | {f"ONEPOLLER_{n.upper()}": str(v) for n, v in named.items()}
        log = self._folder / f"proxy-{len(self._proxies)}.log"
        made = Sidecar(["--api-root", self.telegram.url, *options], environment, log)
        self._proxies.append(made)
        return made

    def bot(self, kind: str, name: str, proxy: Sidecar) -> Bot:
        """Start a bot of this kind behind a proxy."""
        environment = _bare()
        if kind in JAVASCRIPT:
            command = ["node", str(NODE / "bots.cjs")]
            environment["NODE_PATH"] = str(node_modules(self._lacking))
        else:
            command = [sys.executable, str(PYTHON_BOTS)]
        command += [kind, name, proxy.url, self.telegram.token]
        made = Bot(name, command, environment, self._folder / f"{name}.log")
        self._bots.append(made)
        return made

    def handled(self) -> Counter[int]:
        """How often each update was handled, by whomever."""
        return Counter(update for bot in self._bots for update in bot.handled)

    def close(self) -> None:
        """End all of them."""
        for bot in self._bots:
            bot.close()
        for proxy in self._proxies:
            proxy.close()


def node_modules(lacking: Lacking) -> Path:
    """The packages of the JavaScript bots, installed once."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        lacking("node or npm is not installed: `make servers`, or the packages nodejs and npm")
    wanted = NODE / "package.json"
    place = ROOT / "build" / f"node-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    if not (place / "node_modules").is_dir():
        fresh = place.with_name(f"{place.name}.{os.getpid()}")
        fresh.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, fresh)
        options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh)]
        done = subprocess.run(
            [npm, "install", *options], cwd=fresh, capture_output=True, check=False, text=True, timeout=300
        )
        if done.returncode != 0:
            shutil.rmtree(fresh)
            lacking(f"npm could not install the bots' packages: {done.stderr.strip()[-300:]}")
        try:
            fresh.rename(place)
        except OSError:  # somebody else was faster
            shutil.rmtree(fresh)
    return place / "node_modules"


def _bare() -> dict[str, str]:
    """An environment with nobody's settings and no proxy but ours."""
    kept: dict[str, Any] = {
        n: v
        for n, v in os.environ.items()
        if not n.startswith("ONEPOLLER_") and not n.lower().endswith("_proxy")
    }
    return kept | {"PYTHONPATH": str(ROOT)}
