"""Which claims are still as we know them, by what the others have announced since we read them.

So that not everybody reads ten thousand claims because one has changed. It is no proof: whoever writes names
the version that it expects. Nothing that was read before a doubt, and comes after it, removes the doubt.
"""

from __future__ import annotations

from collections.abc import Collection

from onepoller.coordination.identity import BotId


class Fresh:
    """Claims that nobody has announced a change of."""

    def __init__(self) -> None:
        self.doubts = 0
        """How often something was announced: to be noted before a read, and given to `add` after it."""
        self._bots: set[BotId] = set()

    def doubt(self, bots: Collection[BotId] | None) -> None:
        """These, or any of all, may have changed."""
        self.doubts += 1
        if bots is None:
            self._bots.clear()
        else:
            self._bots.difference_update(bots)

    def add(self, bots: Collection[BotId], *, since: int) -> None:
        """These were read, or written, and are known."""
        if since == self.doubts:
            self._bots.update(bots)

    def stale(self, bots: Collection[BotId]) -> list[BotId]:
        """Those that have to be read."""
        return [bot_id for bot_id in bots if bot_id not in self._bots]
