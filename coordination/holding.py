"""What one session holds: the claims, the guards that poll with them, and the episodes to be noted with them.

Lives on the runner's loop. Nothing here asks the store or decides: it says what the negotiation found out.
"""

from __future__ import annotations

from collections.abc import Callable

from onepoller.coordination import events
from onepoller.coordination.events import Cause, ClaimEvent
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.plan import identity_of
from onepoller.coordination.stores.seam import Claim, Episode, Snapshot


class Holding:
    """The claims of one session."""

    def __init__(self, emit: Callable[[events.Event], None]) -> None:
        self.claims: dict[BotId, Claim] = {}
        self.guards: dict[BotId, Guard] = {}
        self.episodes: dict[BotId, Episode | None] = {}
        """To be written with the claim; None: the episode is over."""
        self.is_reported = True
        """Whether a beat has said what we hold: from that a database that was lost is made anew."""
        self._emit = emit

    def take(self, guard: Guard, claim: Claim) -> None:
        """It is ours."""
        self.claims[claim.bot_id] = claim
        self.guards[claim.bot_id] = guard
        self.is_reported = False

    def let_go(self, bot_id: BotId) -> None:
        """It is not ours any more, or never was."""
        self.claims.pop(bot_id, None)
        self.guards.pop(bot_id, None)
        self.episodes.pop(bot_id, None)

    def lose(self, claim: Claim, snapshot: Snapshot) -> None:
        """Somebody took it from us."""
        guard = self.guards.get(claim.bot_id)
        self.let_go(claim.bot_id)
        taker = identity_of(snapshot, claim.holder)
        self.tell(claim, ClaimEvent.LOST, Cause.FENCED, taker)
        if guard is not None:
            guard.lost(Cause.FENCED, to=taker, since=claim.since)

    def lose_everything(self, cause: Cause) -> None:
        """The session is over, or its store is away: every claim is lost; who waits, waits on."""
        for bot_id in list(self.claims):
            self.expire(bot_id, cause)
            self.guards[bot_id].lost(cause)

    def expire(self, bot_id: BotId, cause: Cause) -> None:
        """It is lost, for all we know; its guard stays known, should it turn out to be ours still."""
        claim = self.claims.pop(bot_id, None)
        if claim is not None:
            self.tell(claim, ClaimEvent.EXPIRED, cause, None)

    def tell(self, claim: Claim, event: ClaimEvent, cause: Cause, other: Identity | None) -> None:
        """Tell the listeners what happened to a claim."""
        self._emit(changed(claim, event, cause, other))


def changed(claim: Claim, event: ClaimEvent, cause: Cause, other: Identity | None) -> events.ClaimChanged:
    """What listeners are told of a claim."""
    return events.ClaimChanged(bot_id=claim.bot_id, event=event, term=claim.term, cause=cause, other=other)
