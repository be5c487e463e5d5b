"""Processes forked from a warm parent, for tests that start them as they start others."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("warm_parent.py")
ROOT = PROGRAM.parents[3]
PATIENCE = 60.0
_MOST = 1 << 16


class Warm:
    """The warm parents of a test run, one for each program, made when it is first started."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._parents: dict[str, Parent] = {}

    def close(self) -> None:
        """End them; their children die with them."""
        for parent in self._parents.values():
            parent.close()

    def popen(self, command: Sequence[str], **options: Any) -> Forked:
        """As `subprocess.Popen`, of a program of this folder; stdin and stdout are pipes."""
        program = Path(command[1]).stem
        if program not in self._parents:
            self._parents[program] = Parent(program, self._environment)
        return self._parents[program].popen(command, **options)


class Parent:
    """One warm parent: it has imported one program."""

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link = ours
        self._codes: dict[int, int] = {}
        with theirs:
            command = [sys.executable, str(PROGRAM), str(theirs.fileno()), program]
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()])

    def close(self) -> None:
        """End it; its children die with it."""
        self._link.close()
        self._process.wait(PATIENCE)

    def popen(self, command: Sequence[str], *, stderr: Any, env: dict[str, str], **_: Any) -> Forked:
        """See `Warm`."""
        (stdin, to_stdin), (from_stdout, stdout) = os.pipe(), os.pipe()
        order = json.dumps({"arguments": command[2:], "environment": env}).encode()
        socket.send_fds(self._link, [order], [stdin, stdout, stderr.fileno()])
        os.close(stdin)
        os.close(stdout)
        while "forked" not in (told := self._hear(PATIENCE)):
            pass
        return Forked(self, told["forked"], to_stdin, from_stdout)

    def code(self, pid: int, timeout: float) -> int | None:
        """Give the exit code of a child, or None if it still lives after so many seconds."""
        end = time.monotonic() + timeout
        while pid not in self._codes:
            try:
                self._hear(max(0.0, end - time.monotonic()))
            except (TimeoutError, BlockingIOError):
                return None
        return self._codes[pid]

    def _hear(self, timeout: float) -> dict[str, int]:
        self._link.settimeout(timeout)
        told: dict[str, int] = json.loads(self._link.recv(_MOST))
        if "ended" in told:
            self._codes[told["ended"]] = told["code"]
        return told


class Forked:
    """What tests use of a `subprocess.Popen`."""

    def __init__(self, parent: Parent, pid: int, to_stdin: int, from_stdout: int) -> None:
        self.pid = pid
        self.stdin = os.fdopen(to_stdin, "w")
        self.stdout = os.fdopen(from_stdout)
        self._parent = parent

    def poll(self) -> int | None:
        """Give its exit code, if it has ended."""
        return self._parent.code(self.pid, 0.0)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait until it has ended; its exit code."""
        code = self._parent.code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a forked bot", timeout)
        return code

    def kill(self) -> None:
        """Send SIGKILL, if it is still there."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
