"""The deadline of a bot's claim: a guard asks for it before it sends, and before it delivers.

Past it the store has to be asked first. The exception is a holder that was told to hold on while its store, a
server, does not answer (`outage`). Only there: another store is asked before each delivery, and its answer
counts.
"""

from __future__ import annotations

from onepoller.coordination.clocks import Clocks
from onepoller.coordination.grant import Claims, Grant

LOOK_EVERY = 60.0
"""Who polls on past the deadline looks so often whether somebody else polls, seconds."""


class Fence:
    """Of one bot in one process. A claim that we do not have is past it."""

    __slots__ = ("_ahead", "_claims", "_clocks", "_next_look")

    def __init__(self, claims: Claims, *, clocks: Clocks, ahead: float) -> None:
        self._claims = claims
        self._clocks = clocks
        self._ahead = ahead
        """So long before the deadline an open poll is ended, seconds."""
        self._next_look = 0.0

    def is_passed(self, grant: Grant) -> bool:
        """Whether the deadline is behind us."""
        return grant.session.deadline <= self._clocks.boot()

    def is_near(self, grant: Grant) -> bool:
        """Whether it is time to end an open poll, and to send none before the store has answered."""
        return grant.session.deadline - self._ahead <= self._clocks.boot()

    def holds_on(self, grant: Grant | None) -> bool:
        """Whether the deadline means nothing, because the store is away and we were told to hold on."""
        return grant is not None and grant.session.fence_wait > 0 and self._claims.holds_on

    def is_held_past(self, grant: Grant | None) -> bool:
        """Whether the deadline is behind us, and we hold on."""
        return grant is not None and self.is_passed(grant) and self.holds_on(grant)

    def is_fresh(self, grant: Grant) -> bool:
        """Whether we may send and deliver without asking the store first."""
        return grant.session.deadline > self._clocks.boot() or self.holds_on(grant)

    def is_to_look(self, grant: Grant | None) -> bool:
        """Whether a poll past the deadline is about to be sent, the first for a minute."""
        if not self.is_held_past(grant):
            return False
        now = self._clocks.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY
        return True
