"""An event loop whose time is virtual: it jumps to the next timer instead of waiting for it.

For tests and simulations that await long timeouts: an hour takes milliseconds and is the same each time. Real
sockets and threads have no place in it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class Stuck(Exception):
    """Nothing is left that could ever happen: every task waits for something that no timer brings."""


class _Jump(selectors.SelectSelector):
    """Waits for nothing; moves the loop's time instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("every task waits, and no timer is left")
        self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` starts at 0 and jumps."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jump.now


def run_virtual(main: Coroutine[Any, Any, _T]) -> _T:
    """`asyncio.run` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class LoopRunner:
    """A runner for `Instance.run_on` that needs no thread: everything happens on the running loop."""

    def __init__(self, main: Coroutine[Any, Any, None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(main)

    def post(self, callback: Any, *args: Any) -> None:  # the runner's seam
        """Run this callback soon."""
        self._loop.call_soon(callback, *args)

    def stop(self, timeout: float) -> None:
        """Cancel the main coroutine; it ends when the loop comes to it."""
        del timeout
        self._task.cancel()

    @property
    def is_alive(self) -> bool:
        """Whether the main coroutine still runs."""
        return not self._task.done()

    async def join(self) -> None:
        """Wait until the main coroutine has ended."""
        await asyncio.gather(self._task, return_exceptions=True)
