"""Child programs of a benchmark: they are told lines on stdin and answer with JSON lines on stdout."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 60.0
SECRET = "fake-secret-of-a-benchmark-12345678"
_HERE = Path(__file__).parent


class Silent(Exception):
    """A program did not say what it was expected to say."""


class Program:
    """One child process, a program of this folder. It ends with its `with` block, or when its parent ends."""

    def __init__(self, script: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.name = script
        self.arguments = dict(zip(arguments[::2], arguments[1::2], strict=False))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ONEPOLLER_")}
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean | (environment or {}),
            bufsize=0,
        )
        self._unread = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def resident_kb(self) -> int:
        """How much of its memory is resident, in kB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmRSS:")[2].split()[0])

    def tell(self, line: str) -> None:
        """Write one line to its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def hear(self, key: str, *, timeout: float = PATIENCE) -> Any:  # what JSON holds
        """Wait for the next line that has this key, and give its value. Raises Silent."""
        assert self._process.stdout is not None
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                said = json.loads(line)
                if key in said:
                    return said[key]
                continue
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                raise Silent(f"{self.name} did not say {key!r} within {timeout:g} s")
            chunk = os.read(self._process.stdout.fileno(), 65536)
            if not chunk:
                raise Silent(f"{self.name} ended without saying {key!r}: exit status {self._process.wait()}")
            self._unread += chunk

    def kill(self) -> None:
        """SIGKILL; returns at once."""
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP; returns at once."""
        os.kill(self.pid, signal.SIGSTOP)

    def end(self) -> None:
        """Make sure that it is gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()


def say(**fields: object) -> None:
    """In a child: tell the parent; one write, so that a kill leaves whole lines."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
