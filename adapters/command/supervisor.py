"""Lives of COMMAND, one after the other, until one is the last: restarts, forwarded signals, the exit code.

A signal that asks for the end (SIGTERM, SIGINT, SIGQUIT) goes to the child's group, and there is no life
after it; in standby, and between two lives, it ends us with 0, for nothing has failed. Others go to COMMAND
alone; who dies of one was stopped by it. SIGHUP without a child is the end too.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

from onepoller.adapters.command import launch, tenure
from onepoller.adapters.command.restart import Backoff, Restart, is_due
from onepoller.coordination.guard import Guard

_log = logging.getLogger("onepoller")

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
FORWARDED = (*ENDING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Child(tenure.Life, Protocol):
    """A life that can be sent signals."""

    @property
    def pid(self) -> int:
        """COMMAND's process."""
        ...

    def send(self, number: int) -> None:
        """Forward a signal."""
        ...

    def end(self, number: int = signal.SIGTERM) -> asyncio.Task[None]:
        """See `tenure.Life`; begins at once, with this signal. An end that goes on already stays as it is."""
        ...


class Supervisor:
    """Runs COMMAND while its guard holds the claim. `tell` hears what it does, in a few words."""

    def __init__(
        self,
        guard: Guard,
        *,
        name: str,
        start: Callable[[], Child],
        restart: Restart,
        tell: Callable[[str], None],
        hold: Callable[[Guard, Callable[[], tenure.Life]], Awaitable[int]] = tenure.hold,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._guard = guard
        self._name = name
        self._make = start
        self._restart = restart
        self.tell = tell
        self._hold = hold
        self._chance = chance
        self._child: Child | None = None
        self._began = 0.0
        self._forwarded: set[int] = set()
        self._is_stopping = False
        self._ending: asyncio.Task[None] | None = None
        self._task: asyncio.Task[int] | None = None

    async def run(self) -> int:
        """Live until the last end; the exit code to pass on."""
        self._task = asyncio.current_task()
        backoff = Backoff()
        try:
            while True:
                code = await self._one_life()
                if self._is_last(code):
                    return code
                lived = asyncio.get_running_loop().time() - self._began
                backoff, pause = backoff.after(lived=lived, chance=self._chance())
                self._say(f"{self._name} ended with exit code {code}; it may start again in {pause:.0f} s")
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
            return self._child.ended.result() if self._child is not None else 0

    async def _one_life(self) -> int:
        self._began = asyncio.get_running_loop().time()
        try:
            return await self._hold(self._guard, self._start)
        except OSError as error:
            _log.error("%s could not be started: %s", self._name, error.strerror)
            return launch.NOT_EXECUTABLE
        finally:
            if not self._is_stopping:
                self._child = None

    def _start(self) -> Child:
        self._child = None
        self._forwarded.clear()
        self._child = self._make()
        self._began = asyncio.get_running_loop().time()
        self._say(f"bot {self._guard.bot_id}: {self._name} runs, pid {self._child.pid}")
        return self._child

    def _is_last(self, code: int) -> bool:
        return self._is_stopping or code - 128 in self._forwarded or not is_due(self._restart, code=code)

    def _say(self, text: str) -> None:
        _log.info("%s", text)
        self.tell(text)

    def receive(self, number: int) -> None:
        """A signal has come; in the loop's thread. The first that asks for the end begins it."""
        child = self._child if self._child is not None and not self._child.ended.done() else None
        is_end = number in ENDING or (child is None and number == signal.SIGHUP)
        is_first = is_end and not self._is_stopping
        if child is not None:
            self._forwarded.add(number)
            if is_first:
                self._ending = child.end(number)
            else:
                child.send(number)
        if is_first and self._task is not None:
            self._is_stopping = True
            self._child = child
            self._task.cancel()
