"""What this process has read before, bot by bot, until the server says that it has changed.

So a change of one bot makes each of ten standbys read one claim, and not ten thousand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.seam import Claim, Wish

Stamp = tuple[bytes, int]
"""The beginning of the data, and the generation up to which what is kept is known to stand."""


class Mirror:
    """Claims and wishes, as they lay on the server at `stamp` or later."""

    def __init__(self) -> None:
        self.stamp: Stamp = (b"", 0)
        self.claims: dict[BotId, Claim] = {}
        self.wishes: dict[BotId, Sequence[Wish]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self.stamp = (b"", 0)
        self.claims.clear()
        self.wishes.clear()

    def move(self, stamp: Stamp, changed: Iterable[BotId]) -> None:
        """Forget what has changed since our own stamp; everything, where the data are others."""
        if stamp[0] != self.stamp[0]:
            self.clear()
        for bot_id in changed:
            self.claims.pop(bot_id, None)
            self.wishes.pop(bot_id, None)
        self.stamp = max(stamp, self.stamp) if stamp[0] == self.stamp[0] else stamp

    def missing(self, bots: Collection[BotId]) -> list[BotId]:
        """Those of these bots of which nothing is kept."""
        return [bot_id for bot_id in bots if bot_id not in self.claims]

    def keep(
        self, stamp: Stamp, claims: Mapping[BotId, Claim], wishes: Mapping[BotId, Sequence[Wish]]
    ) -> None:
        """Keep what was read after this stamp, unless another read has gone on meanwhile: it may be older."""
        if stamp == self.stamp:
            self.claims.update(claims)
            self.wishes.update((bot_id, wishes.get(bot_id, ())) for bot_id in claims)
