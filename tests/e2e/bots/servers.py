"""A program of `examples/` with all of its processes: a supervisor, a reloader, workers.

It runs in a copy of that folder, so that a reloader's files can be touched. In the server's log each process
has its pid for a name: whatever Python starts here reads `NAMES` first.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import ROOT

CHAT = 42
NAMES = """
import os

def name():
    os.environ["TELEGRAM_API_ROOT"] = f"{os.environ['FAKE_API']}/_as/{os.getpid()}"

name()
os.register_at_fork(after_in_child=name)
"""
LOOK_EVERY = 0.05


class Server:
    """One program of `examples/` with all its processes."""

    def __init__(self, telegram: Telegram, folder: Path, environment: dict[str, str]) -> None:
        self._telegram = telegram
        self._log = folder / "log"
        names = folder / "names"
        names.mkdir()
        (names / "sitecustomize.py").write_text(NAMES)
        self._environment = environment | {
            "PYTHONPATH": str(names),
            "PYTHONUNBUFFERED": "1",
            "FAKE_API": telegram.url,
            "BOT_TOKEN": telegram.token,
            "CHAT_ID": str(CHAT),
        }
        self._folder = folder / "examples"
        shutil.copytree(ROOT / "examples", self._folder, ignore=shutil.ignore_patterns("__pycache__"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: str) -> None:
        """Run it; every process of it is in one group."""
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command.split()],
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that was started: a supervisor, which serves nobody."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What all of its processes have said."""
        return self._log.read_text(errors="replace")

    def wait_logged(self, pattern: str, *, timeout: float = PATIENCE) -> str:
        """Wait until the log shows this; gives the first group."""
        deadline = time.monotonic() + timeout
        while (found := re.search(pattern, self.log)) is None:
            assert time.monotonic() < deadline, f"no {pattern} in {self.log[-3000:]}"
            time.sleep(LOOK_EVERY)
        return found[1]

    def ask(self, method: str = "GET", path: str = "/") -> dict[str, Any]:
        """Send one request, to whichever process takes it."""
        port = self.wait_logged(r"http://127\.0\.0\.1:(\d+)")
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, self.log[-3000:]
            answer: dict[str, Any] = json.loads(body)
            return answer
        finally:
            connection.close()

    def have_sent(self, count: int, *, unlike: Iterable[str] = ()) -> set[str]:
        """Have so many workers, but these, answer a request and send a message; gives their pids."""
        deadline = time.monotonic() + PATIENCE
        answered: set[str] = set()
        while len(answered) < count:
            assert time.monotonic() < deadline, f"only {answered} answered; {self.log[-3000:]}"
            answered |= {str(self.ask("POST", f"/{CHAT}")["pid"])}.difference(unlike)
        assert {f"worker {pid} sends this" for pid in answered} <= {row.text for row in self._telegram.rows()}
        return answered

    def wait_polling(self, *, unlike: int = 0) -> int:
        """Ask until a worker, but this one, says that it polls; gives its pid."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.ask()
            if answer["pid"] != unlike and [bot["role"] for bot in answer["bots"]] == ["polling"]:
                return int(answer["pid"])
            assert time.monotonic() < deadline, f"nobody says so; {self.log[-3000:]}"

    def touch(self, file: str) -> None:
        """Change a file, until its reloader has seen that: it may have to look at the old state first."""
        path = self._folder / file
        changed = path.stat().st_mtime
        deadline = time.monotonic() + PATIENCE
        while not re.search(r"[Dd]etected change|Worker reloading", self.log):
            assert time.monotonic() < deadline, f"nobody saw the change: {self.log[-3000:]}"
            changed += 10
            os.utime(path, (changed, changed))
            time.sleep(5 * LOOK_EVERY)

    def stop(self) -> None:
        """End it as a supervisor would; it ends all of its workers."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(PATIENCE)

    def close(self) -> None:
        """End what is left of it."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # all of them have ended
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
