"""The bots as processes: started, told to begin, killed, listened to, and all ended at the end.

Each is ended by its own process id. A process group of its own keeps a Ctrl-C from it, so that this program
alone decides when it ends; should this program be killed, its bots see their stdin closed and end themselves.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from onepoller.coordination.errors import OnepollerError
from onepoller.demo.terms import LOG_PREFIX, TOKEN
from onepoller.testing.botapi import Control

Made = TypeVar("Made", bound="Bot")

PATIENCE = 60.0
"""How long anything that must happen may take before the demo gives up. No bound is judged by it."""


class BotFailed(OnepollerError):
    """A bot did not do what it must; the text says which and what."""


class Bot:
    """One bot process. Its lines are read by a thread; everything else is the caller's."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], errors: Path
    ) -> None:
        self.name = name
        self.handled: list[int] = []
        self.said: list[dict[str, Any]] = []
        self._errors = errors
        self._token = environment.get(TOKEN)
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                text=True,
                process_group=0,
            )
        self._news = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read, name=f"reader of {name}", daemon=True)
        self._reader.start()

    def __repr__(self) -> str:
        return f"<Bot {self.name}, pid {self._process.pid}>"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = _said(line)
            with self._news:
                if "handled" in said:
                    self.handled.append(said["handled"])
                else:
                    self.said.append(said)
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def wait(self, condition: Callable[[Self], bool], what: str, *, timeout: float = PATIENCE) -> None:
        """Wait until a condition on what it said and handled holds.

        Raises:
            BotFailed: it ended before, or did not get there in time.

        """
        with self._news:
            self._news.wait_for(lambda: condition(self) or self._is_over, timeout)
            if not condition(self):
                raise BotFailed(
                    f"{self.name} {what}, not after {timeout:g} s; the end of its log: {self.last_words()}"
                )

    def wait_said(self, what: str) -> dict[str, Any]:
        """Wait until it has said something of a kind; gives the first."""
        self.wait(lambda bot: any(what in said for said in bot.said), f"has not said {what!r}")
        return next(said for said in self.said if what in said)

    def wait_role(self, role: str) -> None:
        """Wait until the last role that it told is this one."""
        self.wait(lambda bot: bot.roles[-1:] == [role], f"is not {role}")

    def wait_handled(self, updates: set[int]) -> None:
        """Wait until it has handled all of these."""
        self.wait(lambda bot: updates <= set(bot.handled), "has not handled what it was given")

    @property
    def roles(self) -> list[str]:
        """The roles that it told."""
        return [said["role"] for said in self.said if "role" in said]

    def last_words(self) -> str:
        """Give the last line of its log, without the token."""
        lines = self.log()
        if not lines:
            return "its log is empty"
        return lines[-1].replace(self._token, "<token>") if self._token else lines[-1]

    def traceback_lines(self) -> int:
        """Count the lines of its log that are no log records of their own."""
        return sum(not line.startswith(LOG_PREFIX) for line in self.log())

    def log(self) -> list[str]:
        """Give the lines of its log."""
        return self._errors.read_text(errors="replace").splitlines()

    def go(self) -> None:
        """Let it begin to poll.

        Raises:
            BotFailed: it has ended already.

        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BotFailed(f"{self.name} has ended before it began: {self.last_words()}") from None

    @property
    def has_ended(self) -> bool:
        """Whether the process is over."""
        return self._process.poll() is not None

    def terminate(self) -> None:
        """Send SIGTERM, as an orchestrator does."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL: nobody can prepare for that."""
        self._process.kill()

    def ended(self) -> int:
        """Wait until it has ended and everything that it said is read; gives its exit status."""
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def close(self) -> None:
        """End it if it lives, and close what is open."""
        self._process.kill()
        self.ended()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _said(line: str) -> dict[str, Any]:
    """Read a line. What is no object is text: a foreign program's, or the end of a killed one's."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {"text": line}


class Bots:
    """All bots of one run."""

    def __init__(self, control: Control, folder: Path) -> None:
        self._control = control
        self._folder = folder
        self._all: list[Bot] = []
        state = folder / "state"
        state.mkdir()
        self.meeting = {"ONEPOLLER_STATE_DIR": str(state)}
        """The settings with which instances meet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bot in self._all:
            bot.close()

    def start(
        self, name: str, token: str, *, is_guarded: bool, work: float = 0.0, settings: Mapping[str, str]
    ) -> Bot:
        """Start a python-telegram-bot process, up to the moment before its first call."""
        command = [sys.executable, "-m", "onepoller.demo.bot", name, self._control.url, "--work", str(work)]
        if is_guarded:
            command.append("--guarded")
        return self.run(name, command, {**settings, TOKEN: token}, make=Bot)

    def run(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, str],
        *,
        make: Callable[[str, Sequence[str], Mapping[str, str], Path], Made],
    ) -> Made:
        """Start a process with these variables."""
        made = make(
            name, command, {**_clean_environment(), **settings}, self._folder / f"{len(self._all)}.log"
        )
        self._all.append(made)
        return made


def _clean_environment() -> dict[str, str]:
    """The user's environment without settings of ours, and without proxies: nothing leaves this machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ONEPOLLER_") and not name.lower().endswith("_proxy")
    }
