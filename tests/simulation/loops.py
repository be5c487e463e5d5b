"""An event loop that runs only when it is told to, on somebody else's clock.

`run` lets everything happen that can happen now and returns; `due` then says when the loop wants to run
again, on its own clock. Nothing waits, no socket is opened, and every turn of the loop takes `TURN` seconds
of the world's time, so that code which asks the clock again and again gets on.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import warnings
from collections.abc import Callable, Mapping
from typing import Any

TURN = 20e-6
"""Seconds that one turn of a loop takes."""
_NO_KEYS: Mapping[Any, selectors.SelectorKey] = {}


class _Never(selectors.BaseSelector):
    """No files; where a real one would wait, the loop is stopped."""

    def __init__(self, idle: Callable[[float | None], None]) -> None:
        self._idle = idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._idle(timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ARG002
        raise OSError("a simulated process has no files")

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return _NO_KEYS


class SteppedLoop(asyncio.BaseEventLoop):
    """A loop on a foreign clock. `failures` holds what nobody caught."""

    def __init__(self, clock: Callable[[], float], spend: Callable[[float], None]) -> None:
        super().__init__()
        self.due = math.inf
        """When a timer wants to run, on this loop's clock; minus infinity: at once."""
        self.failures: list[str] = []
        self._clock = clock
        self._spend = spend
        self._beyond = 0.0  # time that passes for this loop alone, when the world has ended
        self._selector = _Never(self._idle)
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        """The foreign clock."""
        return self._clock() + self._beyond

    def run(self) -> None:
        """Do all that is to be done now."""
        self.due = math.inf
        self.run_forever()

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Have something called in this loop, from outside."""
        self.call_soon(callback, *args)
        self.due = -math.inf

    def bury(self) -> None:
        """Cancel every task and let each clean up, in a time that is nobody else's; then close."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.run()
        while asyncio.all_tasks(self) and self.due < math.inf:
            self._beyond += max(self.due - self.time(), 0.0)
            self.run()
        with warnings.catch_warnings():
            # What was to be tried again a moment later is thrown away.
            warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
            self.close()

    def _idle(self, timeout: float | None) -> None:
        self._spend(TURN)
        if timeout != 0:
            self.due = min(self.due, math.inf if timeout is None else self.time() + timeout)
            self.stop()

    # What BaseEventLoop asks of its heirs

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Somebody outside has posted: the world must come by."""
        self.due = -math.inf

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")
