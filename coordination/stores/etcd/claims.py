"""The claims as far as they were read: of ten thousand, only those that changed are read again.

Claims are never deleted, so all that was written after the last reading is all that there is to know; where
the number of keys says otherwise, somebody has deleted some, and everything is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.etcd.words import Kept
from onepoller.coordination.stores.records import claim_of
from onepoller.coordination.stores.seam import Claim


class Claims:
    """Each claim with the revision of its last write."""

    def __init__(self) -> None:
        self.revision = 0
        """All claims that were written until then were read; 0: not all."""
        self._kept: dict[BotId, tuple[int, Claim]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, keys: Iterable[Kept]) -> list[Claim]:
        """These were read. Gives those that had not been known."""
        return self._note((key.revision, claim_of(key.value)) for key in keys)

    def written(self, claims: Iterable[Claim], revision: int) -> None:
        """These were written, with this revision."""
        self._note((revision, claim) for claim in claims)

    def missing(self, bots: Iterable[BotId], revision: int) -> None:
        """These were not there at that revision: what was read before has been deleted."""
        for bot_id in bots:
            if bot_id in self._kept and self._kept[bot_id][0] <= revision:
                del self._kept[bot_id]

    def read_all(self, revision: int) -> None:
        """All that were written until then were read."""
        self.revision = max(self.revision, revision)

    def of(self, bots: Collection[BotId] | None) -> dict[BotId, Claim]:
        """The claims of these bots, or of all; those that were never written are free."""
        if bots is None:
            return {bot_id: claim for bot_id, (_, claim) in self._kept.items()}
        kept = self._kept
        return {bot_id: kept[bot_id][1] if bot_id in kept else Claim(bot_id=bot_id) for bot_id in bots}

    def _note(self, found: Iterable[tuple[int, Claim]]) -> list[Claim]:
        news = []
        for revision, claim in found:
            known = self._kept.get(claim.bot_id)
            if known is None or revision > known[0]:
                self._kept[claim.bot_id] = revision, claim
                news.append(claim)
        return news
