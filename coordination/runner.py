"""The one background thread of a process, with one event loop: all bots' coordination runs there.

Nothing else in this room knows that there is a thread: the instance posts to whatever runner it was given,
so a simulation runs everything on one virtual loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from onepoller.coordination.crossing import Inbox


class Runner(Protocol):
    """Where an instance's coroutines run."""

    def post(self, callback: Callable[..., None], *args: Any) -> None:
        """Run this callback on the runner's loop; starts the runner at the first call. From any thread."""
        ...

    def stop(self, timeout: float) -> None:
        """End the main coroutine and wait for it, at most so long."""
        ...

    @property
    def is_alive(self) -> bool:
        """False only where it was started and has died."""
        ...


class ThreadRunner:
    """A daemon thread, started by the first `post`, that runs one main coroutine until it is stopped."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._main = main
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox: Inbox | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def post(self, callback: Callable[..., None], *args: Any) -> None:
        """Run this callback on the loop, in order of arrival."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                if self._stopping and self._thread is not None:
                    return
                self._start()
            inbox = self._inbox
        assert inbox is not None
        try:
            inbox.put(callback, *args)
        except RuntimeError:
            # The loop has just been closed by `stop`: whoever still posts has come too late.
            return

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._inbox = Inbox(self._loop)
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="onepoller", daemon=True)
        self._thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        self._task = loop.create_task(self._main())
        try:
            loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def stop(self, timeout: float) -> None:
        """End the main coroutine (it is cancelled, and cleans up) and join the thread."""
        with self._lock:
            thread, loop = self._thread, self._loop
            self._stopping = True
        if thread is None or loop is None or not thread.is_alive() or thread is threading.current_thread():
            return
        try:
            loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:
            return
        thread.join(timeout)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @property
    def is_alive(self) -> bool:
        """False only where it was started and has died without being stopped."""
        thread = self._thread
        return thread is None or self._stopping or thread.is_alive()
