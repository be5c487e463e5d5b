"""Whether the store answers our heartbeats, and what that means for the claims that we hold.

HELD, UNCERTAIN (one has failed), LOST (they failed until the deadline); with the next good heartbeat, HELD.
One of these for a session: its claims live and die together. Changes come from the runner's loop; reads are
allowed from any thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from onepoller.coordination.clocks import Clocks
from onepoller.coordination.events import Certainty, CertaintyChanged, Event
from onepoller.coordination.settings import OnStoreLoss, Settings


class Outage:
    """What a session's heartbeats have shown last."""

    def __init__(self, *, settings: Settings, clocks: Clocks, emit: Callable[[Event], None]) -> None:
        self.certainty = Certainty.HELD
        self._may_hold = settings.on_store_loss is OnStoreLoss.HOLD
        self._lease = settings.lease
        self._clocks = clocks
        self._emit = emit
        self._failed_at = -math.inf
        self._claims = 0
        """How many there were when the first heartbeat failed."""

    @property
    def holds_on(self) -> bool:
        """Whether we poll on past the deadline: told to, and the store was away just now.

        Who was frozen has to hear from its store again first, if only that it does not answer.
        """
        is_away = self.certainty is not Certainty.HELD
        return self._may_hold and is_away and self._clocks.boot() < self._failed_at + self._lease

    def failed(self, *, claims: int, left: float) -> None:
        """A heartbeat was not answered. `left`: seconds to the deadline."""
        self._failed_at = self._clocks.boot()
        if self.certainty is Certainty.HELD:
            self._claims = claims
            self._change(Certainty.UNCERTAIN, left=max(0.0, left))

    def expired(self) -> bool:
        """The deadline is here. True: the claims are lost now, and nobody polls on."""
        if self.certainty is not Certainty.UNCERTAIN:
            return False
        self._change(Certainty.LOST)
        return not self._may_hold

    def answered(self) -> bool:
        """The store has answered a heartbeat, good or bad. True: the claims were lost until now."""
        was_lost = self.certainty is Certainty.LOST
        if self.certainty is not Certainty.HELD:
            self._change(Certainty.HELD)
        return was_lost

    def over(self) -> None:
        """There are no claims any more, and no polling on."""
        self._claims = 0
        self._may_hold = False
        self.answered()

    def _change(self, certainty: Certainty, *, left: float = 0.0) -> None:
        was, self.certainty = self.certainty, certainty
        self._emit(
            CertaintyChanged(
                certainty=certainty,
                was=was,
                claims=self._claims,
                left=left,
                holds=certainty is Certainty.LOST and self._may_hold,
            )
        )
