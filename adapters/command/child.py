"""One life of COMMAND: its process, its process group, and its end.

Its standard input, output and error are ours, untouched. It leads a process group of its own, so that what it
starts ends with it; a process that has left the group (a daemon) is not reached. It is started through
`launch`, whose keeper sees to it that the group does not outlive us either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onepoller.adapters.command import launch
from onepoller.adapters.command.reaping import Reaper

_log = logging.getLogger("onepoller")

LOOK_EVERY = 0.02
"""Seconds between two looks whether the group is empty: nobody tells that."""
LINGER = 1.0
"""After SIGKILL the rest of the group is waited for so long: it may belong to another user by now."""
_TO_GROUP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is started, again and again."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    grace: float
    reaper: Reaper

    def start(self) -> Child:
        """Begin a life. Raises OSError where there is no process left to start."""
        return Child(self)

    @property
    def name(self) -> str:
        """For people; without the arguments, for one of them may be a token."""
        return Path(self.arguments[0]).name


class Child:
    """One life. `ended` has the exit code of COMMAND itself; `end` leaves nothing of its group."""

    def __init__(self, command: Command) -> None:
        self._name = command.name
        self._grace = command.grace
        self._ending: asyncio.Task[None] | None = None
        theirs, self._lifeline = os.pipe()
        try:
            start = [sys.executable, "-I", "-S", launch.__file__, "start", str(theirs), *command.arguments]
            process = subprocess.Popen(  # noqa: S603  # it is the user's own command
                start, env=dict(command.environment), process_group=0, pass_fds=(theirs,)
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(theirs)
        self.pid = process.pid
        self.ended: asyncio.Future[int] = command.reaper.expect(process.pid)
        process.returncode = 0  # the reaper waits for it; Popen is to believe that it need not

    def send(self, number: int) -> None:
        """Forward a signal: one that means the end to the whole group, as terminals do; others to COMMAND."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number in _TO_GROUP:
                os.killpg(self.pid, number)
            elif not self.ended.done():
                os.kill(self.pid, number)

    def end(self, number: int = signal.SIGTERM) -> asyncio.Task[None]:
        """End the group: this signal, the grace, SIGKILL. Done when nothing of it is left; safe to repeat."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(number))
        return self._ending

    async def _end(self, number: int) -> None:
        self.send(number)
        if not await self._is_gone_within(self._grace):
            _log.warning("%s has not ended in %g s: killed", self._name, self._grace)
            self.send(signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            await self.ended  # without a limit: whoever cannot be killed may poll
            await self._is_gone_within(LINGER)
        with contextlib.suppress(BrokenPipeError):  # somebody has killed the keeper
            os.write(self._lifeline, b"x")
        os.close(self._lifeline)

    async def _is_gone_within(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if not self.ended.done():
            await asyncio.wait((self.ended,), timeout=seconds)
        while not self._is_gone():
            if loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_EVERY)
        return True

    def _is_gone(self) -> bool:
        if not self.ended.done():
            return False
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # somebody else's by now, but alive
        return not _has_living_member(self.pid)


def _has_living_member(group: int) -> bool:
    """Whether any process of a group still runs: where PID 1 does not reap, zombies stay in it."""
    try:
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    except OSError:
        return True  # no /proc: the signal that could be sent is all we know
    for process in processes:
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[2]) == group and fields[0] not in "ZX":
            return True
    return False
