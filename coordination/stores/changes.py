"""What a watcher has been told and has not taken yet."""

from __future__ import annotations

import asyncio

from onepoller.coordination.stores.seam import Change


class Changes:
    """Changes in order, each at most once until it is taken. Made in the loop that takes them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending: dict[Change, None] = {}
        self._waiter: asyncio.Future[None] | None = None

    def put(self, change: Change) -> None:
        """Add a change, from the watcher's own loop."""
        self._pending[change] = None
        self._wake()

    def put_from_anywhere(self, change: Change) -> None:
        """Add a change from any thread or loop; a watcher whose loop is closed needs none."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self.put(change)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.put, change)

    async def take(self, *, until: float) -> list[Change]:
        """All changes there are, waiting for one until then (the loop's clock); none if none came."""
        if not self._pending:
            # Spelled out: an event and a timeout context take a tenth of a millisecond from a takeover.
            self._waiter = self._loop.create_future()
            timer = self._loop.call_at(until, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
        taken = list(self._pending)
        self._pending.clear()
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
