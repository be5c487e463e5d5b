"""The way from one thread to the loop of another: many messages, one wake-up.

Each wake-up of another thread's loop is a system call that gives the interpreter lock away; ten thousand of
them take seconds, one takes a tenth of a millisecond. So the first message of a burst wakes the loop, and
those that come before it has looked are found there too.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from onepoller.coordination.answer import Promised


class Inbox:
    """Callbacks for one loop, in order of arrival. `put` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._is_called = False
        self.context = contextvars.copy_context()
        """For timers: each would copy one of its own."""

    def put(self, callback: Callable[..., None], *args: Any) -> None:
        """Run this callback on the loop, soon. Raises RuntimeError where the loop is closed."""
        self._waiting.append((callback, args))
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self._is_called = False  # before looking: what comes from now on calls again
        try:
            while self._waiting:
                callback, args = self._waiting.popleft()
                callback(*args)
        finally:
            if self._waiting:  # one has failed, which the loop tells; the others are not lost for it
                self._loop.call_soon(self._run)


class Crossing:
    """Awaiting, in any loop, what another thread will say; all of a loop's answers come by one inbox."""

    def __init__(self) -> None:
        self._inboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = (
            weakref.WeakKeyDictionary()
        )

    async def result(self, future: Promised[Any], seconds: float) -> Any:
        """What the future says, or None after so many seconds. The future is never cancelled."""
        if future.done():
            return future.result()
        if seconds <= 0:
            await asyncio.sleep(0)
            return future.result() if future.done() else None
        loop = asyncio.get_running_loop()
        inbox = self._inboxes.get(loop)
        if inbox is None:
            inbox = self._inboxes[loop] = Inbox(loop)
        waiter: asyncio.Future[None] = loop.create_future()
        future.add_done_callback(partial(_tell, inbox, waiter))
        timer = loop.call_later(seconds, _wake, waiter, context=inbox.context)
        try:
            await waiter
        finally:
            timer.cancel()
        return future.result() if future.done() else None


def _tell(inbox: Inbox, waiter: asyncio.Future[None], _: object) -> None:
    try:
        inbox.put(_wake, waiter)
    except RuntimeError:
        # The caller's loop has been closed: nobody waits there any more.
        return


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
