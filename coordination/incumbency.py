"""Since when Telegram answers us, and what we pass on of it: how long this bot has had the same poller.

Seconds are added up over terms and processes; only the way from one process to the next, which a claim
carries, is measured by the wall clock.
"""

from __future__ import annotations

import math

from onepoller.coordination import tenure
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.situation import State
from onepoller.coordination.stores.seam import Claim, Standing


class Incumbency:
    """Of one bot in one process."""

    __slots__ = ("_clocks", "_heard_at", "_lost", "_lost_at", "_polled_at", "_was_deaf")

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._heard_at: float | None = None
        """Boot clock, which counts a machine's sleep."""
        self._polled_at: float | None = None
        self._lost: float | None = None
        """Our tenure when we lost the claim; None where a rival had the bot."""
        self._lost_at = 0.0
        self._was_deaf = False
        """We lost the claim after a silence in which somebody else may have begun to poll."""

    @property
    def silence(self) -> float:
        """Seconds since Telegram answered anything, or since the claim is ours."""
        return 0.0 if self._heard_at is None else self._clocks.boot() - self._heard_at

    @property
    def pause(self) -> float:
        """Seconds since a poll was answered; a peek is none."""
        return math.inf if self._polled_at is None else self._clocks.boot() - self._polled_at

    def heard(self) -> None:
        """Telegram has answered a peek or a probe, or the claim is ours."""
        self._heard_at = self._clocks.boot()

    def answered(self) -> None:
        """Telegram has answered a poll, 200 or 409."""
        self._heard_at = self._polled_at = self._clocks.boot()

    def lost(self, state: State, *, deaf: bool = False, parked: float = 0.0) -> None:
        """The claim has gone. `deaf`: for our silence; `parked`: the time-out of our open poll, seconds."""
        self._was_deaf = deaf and self.silence > tenure.NEWCOMER_AFTER + parked
        self._lost = self._held(state)
        self._lost_at = self._clocks.boot()

    def taken(self, claim: Claim) -> float | None:
        """The tenure that comes with a claim, or ours where we lost it for a moment; None: we are new."""
        self.heard()
        was_deaf, self._was_deaf = self._was_deaf, False
        if was_deaf and self._clocks.boot() - self._lost_at <= tenure.NEWCOMER_AFTER:
            return None
        standing = claim.standing
        if standing is not None:
            return standing.tenure + max(0.0, self._clocks.wall() - standing.at)
        gone = self._clocks.boot() - self._lost_at if self._lost is not None else math.inf
        return (self._lost or 0.0) + gone if gone <= tenure.NEWCOMER_AFTER else None

    def to_pass_on(self, state: State) -> Standing | None:
        """What a successor goes on with: of the state, or of the claim that was let go just now."""
        held, ago = self._held(state), 0.0
        if state.term is None:
            held, ago = self._lost, self._clocks.boot() - self._lost_at
        return None if held is None else Standing(tenure=held, at=self._clocks.wall() - ago)

    def _held(self, state: State) -> float | None:
        """Seconds of tenure, 0 on trial; None where a rival has the bot."""
        if state.yielding:
            return None
        return tenure.tenure(state, self._clocks.monotonic()) or 0.0
