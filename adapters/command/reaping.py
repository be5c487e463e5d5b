"""Waiting for children: the one that was started here, and, as PID 1 of a container, everybody's orphans."""

from __future__ import annotations

import asyncio
import os
import signal
from types import TracebackType
from typing import Self


class Reaper:
    """Reaps every child of this process, in the event loop's thread, while it is entered.

    Nobody else may wait for children meanwhile: it takes every exit status.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._expected: dict[int, asyncio.Future[int]] = {}

    def __enter__(self) -> Self:
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def expect(self, pid: int) -> asyncio.Future[int]:
        """The exit code of a child that was just started; 128 + n where signal n ended it, as in shells."""
        ended = self._expected[pid] = self._loop.create_future()
        return ended

    def _reap(self) -> None:
        """One SIGCHLD may stand for many children."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._expected.pop(pid, None)
            if ended is not None:
                code = os.waitstatus_to_exitcode(status)
                ended.set_result(code if code >= 0 else 128 - code)
