"""What one settling is going to write, and how a snapshot is read for it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from onepoller.coordination.events import Cause
from onepoller.coordination.identity import BotId, Identity, SessionId
from onepoller.coordination.stores.seam import Batch, Claim, Liveness, Snapshot, Swap, Wish


@dataclass(slots=True)
class Plan:
    """Swaps and wishes of one batch, and what is to be told once they are written."""

    swaps: list[Swap] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    withdrawn: list[BotId] = field(default_factory=list)
    wake: set[SessionId] = field(default_factory=set)
    taking: dict[BotId, tuple[Cause, Identity | None]] = field(default_factory=dict)
    """Why each claim is taken, and from whom."""
    releasing: dict[BotId, Identity | None] = field(default_factory=dict)
    """To whom each claim goes."""
    fencing: dict[BotId, Identity | None] = field(default_factory=dict)
    """Whose each claim was that is taken from a living holder, to be ours when its deadline has passed."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.swaps or self.wishes or self.withdrawn)

    def batch(self, *, own: SessionId) -> Batch:
        """What the store is given; our own session needs no waking."""
        wake: Collection[SessionId] = self.wake - {own}
        return Batch(swaps=self.swaps, wishes=self.wishes, withdrawn=self.withdrawn, wake=wake)


def others(snapshot: Snapshot, bot_id: BotId, own: SessionId) -> list[Wish]:
    """The wishes of other sessions that live: one that is silent waits for nothing any more."""
    wishes = snapshot.wishes.get(bot_id, ())
    return [w for w in wishes if w.session != own and is_alive(snapshot, w.session)]


def identity_of(snapshot: Snapshot, session: SessionId | None) -> Identity | None:
    """Whose session it is, where the snapshot says so."""
    record = snapshot.sessions.get(session) if session is not None else None
    return record.identity if record else None


def silence_of(snapshot: Snapshot, claim: Claim) -> float:
    """For how long the holder of a claim has not been heard of, seconds."""
    record = snapshot.sessions.get(claim.holder) if claim.holder is not None else None
    return record.silence if record else math.inf


def is_alive(snapshot: Snapshot, session: SessionId | None) -> bool:
    """Whether the session lives, as far as could be seen."""
    record = snapshot.sessions.get(session) if session is not None else None
    return record is not None and record.liveness is Liveness.ALIVE
