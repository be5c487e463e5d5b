"""Real processes on one directory, told what to do line by line."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("peer.py")
PATIENCE = 45.0
LEASE = 1.0


class Refused(Exception):
    """The store raised; `name` is the error's class."""

    def __init__(self, name: str, text: str, pid: int | None) -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.text, self.pid = name, text, pid


class Process:
    """One `peer.py`."""

    def __init__(self, directory: Path, times: Sequence[float], *, before: Sequence[str]) -> None:
        self.running = subprocess.Popen(
            [*before, sys.executable, str(PROGRAM), str(directory), *map(str, times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self.running.pid
        self._changes: list[dict[str, Any]] = []
        self._buffer = b""
        self.id = ""

    def ask(self, command: str, *arguments: object) -> Any:  # JSON
        """Give an order, and get the answer; raises Refused where the store did."""
        self.tell(command, *arguments)
        while True:
            line = self._line()
            if "answer" in line:
                return line["answer"]
            if "error" in line:
                raise Refused(line["error"], line["text"], line["pid"])
            self._changes.append(line)

    def tell(self, command: str, *arguments: object) -> None:
        """Give an order that gets no answer for now."""
        assert self.running.stdin is not None
        self.running.stdin.write(json.dumps([command, *arguments]).encode() + b"\n")
        self.running.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """The next thing that it tells of its own accord."""
        return self._changes.pop(0) if self._changes else self._line()

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self.running.kill()
        self.running.wait()

    def stop(self) -> None:
        """Freeze it, and wait until it is."""
        os.kill(self.pid, signal.SIGSTOP)
        self.wait_until_stopped()

    def wait_until_stopped(self) -> None:
        """Wait until it is frozen, by whomever."""
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """Thaw it."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Clear away."""
        if self.running.poll() is None:
            self.running.kill()
        self.running.wait()
        for pipe in (self.running.stdin, self.running.stdout):
            assert pipe is not None
            pipe.close()

    def _line(self) -> dict[str, Any]:
        assert self.running.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.running.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                assert selector.select(PATIENCE), "it says nothing"
                part = os.read(self.running.stdout.fileno(), 65536)
                assert part, "it has ended"
                self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts one more process on the test's directory; it has an open session."""
    processes: list[Process] = []

    def new(
        directory: Path = tmp_path / "state",
        *,
        before: Sequence[str] = (),
        lease: float = LEASE,
        busy_limit: float = 0.3,
        slow_look: float = 0.2,
    ) -> Process:
        process = Process(directory, [lease, busy_limit, slow_look], before=before)
        processes.append(process)
        process.id = process.ask("open")
        return process

    yield new
    for process in processes:
        process.end()


@pytest.fixture
def need_root() -> None:
    """Skip where the test cannot mount, or be somebody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root: run the tests as root, as in a container")


@pytest.fixture
def refused() -> type[Exception]:
    """Give the error that stands for what a store raised in a process."""
    return Refused
