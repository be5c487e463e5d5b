"""Which bots are to be looked at, now or later. Lives on one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Agenda:
    """A set of things to do now, and of moments at which others are to be done."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._now: set[int] = set()
        self._later: dict[int, float] = {}
        self._work = asyncio.Event()

    def touch(self, *bots: int) -> None:
        """Look at these now."""
        self._now.update(bots)
        if bots:
            self._work.set()

    def put_off(self, bot_id: int, until: float) -> None:
        """Look at this one then; an earlier moment that is set already stays."""
        self._later[bot_id] = min(self._later.get(bot_id, until), until)

    def drop(self, bot_id: int) -> None:
        """There is nothing to come back to."""
        self._later.pop(bot_id, None)

    async def wait(self) -> None:
        """Return when there is something to look at."""
        while not self._now and not self._due():
            self._work.clear()
            wait = max(0.0, min(self._later.values()) - self._clock()) if self._later else None
            try:
                async with asyncio.timeout(wait):
                    await self._work.wait()
            except TimeoutError:
                continue

    def take(self) -> set[int]:
        """What is to be looked at now; it is off the agenda."""
        due = self._due()
        for bot_id in due:
            del self._later[bot_id]
        bots, self._now = self._now | due, set()
        return bots

    def _due(self) -> set[int]:
        now = self._clock()
        return {bot_id for bot_id, at in self._later.items() if at <= now}
