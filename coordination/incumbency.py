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

ON_ITS_WAY = 5.0
"""After its time-out an answer may take so long to come here, seconds."""


class Incumbency:
    """Of one bot in one process."""

    __slots__ = (
        "_answered_by",
        "_clocks",
        "_heard_at",
        "_lost",
        "_lost_at",
        "_polled_at",
        "_present_at",
        "_sent_at",
        "_was_deaf",
        "pause",
    )

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._heard_at: float | None = None
        """Boot clock, which counts a machine's sleep."""
        self._polled_at: float | None = None
        self._sent_at = 0.0
        self._answered_by = math.inf
        self.pause = math.inf
        """Seconds before the last poll that was answered, in which none was; a peek is none."""
        self._present_at = 0.0
        """Until then a rival would have been told to us by a 409, if that is later."""
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
    def absence(self) -> float:
        """Seconds in which a rival may have begun to poll unseen: the silence, less what was parked."""
        return min(self.silence, self._clocks.boot() - self._present_at)

    def sending(self, timeout: float = 0.0) -> float:
        """A poll or look with this time-out, seconds, is about to be sent. Returns the silence until now."""
        self._sent_at = self._clocks.boot()
        self._answered_by = self._sent_at + timeout + ON_ITS_WAY
        return 0.0 if self._heard_at is None else self._sent_at - self._heard_at

    def heard(self) -> None:
        """Telegram has answered a peek or a probe, or for a ghost, or the claim is ours."""
        self._heard_at = self._clocks.boot()

    def answered(self) -> None:
        """Telegram has answered what was sent last, a poll or a look, 200 or 409.

        Who reads it too late was frozen: it may be as old as the poll, and says nothing of what was since.
        """
        if self._polled_at is not None:
            self.pause = self._sent_at - self._polled_at
        now = self._clocks.boot()
        self._heard_at = self._polled_at = now if now <= self._answered_by else self._sent_at
        self._answered_by = math.inf

    @property
    def paused_ago(self) -> float:
        """Seconds since that pause began."""
        return self._clocks.boot() - self._sent_at + self.pause

    def broke_off(self, *, timeout: float) -> bool:
        """The poll sent last ended without an answer, by an error or by us. True: it was parked until now.

        Whoever had parked after it would have ended it with a 409. Not so where it was open for longer than
        its time-out, seconds: we were frozen. (That a client's own time is over does not say when the
        connection broke, so it is not told here.)
        """
        now = self._clocks.boot()
        silence = 0.0 if self._heard_at is None else self._sent_at - self._heard_at
        was_parked = silence <= tenure.NEWCOMER_AFTER and now - self._sent_at <= timeout
        if was_parked:
            self._present_at = now
        return was_parked

    def lost(self, state: State, *, deaf: bool = False, parked: float = 0.0) -> None:
        """The claim has gone. `deaf`: for our silence; `parked`: the time-out of our open poll, seconds."""
        self._was_deaf = deaf and self.absence > tenure.NEWCOMER_AFTER + parked
        self._lost = self._held(state)
        self._lost_at = self._clocks.boot()

    def taken(self, claim: Claim) -> float | None:
        """The tenure that comes with a claim, or ours where we lost it for a moment; None: we are new.

        Below 0: whoever polled before us was on trial, and so are we.
        """
        self.heard()
        was_deaf, self._was_deaf = self._was_deaf, False
        if was_deaf and self._clocks.boot() - self._lost_at <= tenure.NEWCOMER_AFTER:
            return None
        standing = claim.standing
        if standing is not None:
            ago = self._clocks.wall() - standing.at
            return standing.tenure + max(0.0, ago) if standing.tenure >= 0 else standing.tenure
        gone = self._clocks.boot() - self._lost_at
        if self._lost is None or gone > tenure.NEWCOMER_AFTER:
            return None
        return self._lost + gone if self._lost >= 0 else self._lost

    def to_pass_on(self, state: State) -> Standing | None:
        """What a successor goes on with: of the state, or of the claim that was let go just now.

        Nothing where a rival has the bot, or after a silence that made the holder a newcomer.
        """
        held, ago = self._held(state), 0.0
        if state.term is None:
            held = None if self._was_deaf else self._lost
            ago = self._clocks.boot() - self._lost_at
        return None if held is None else Standing(tenure=held, at=self._clocks.wall() - ago)

    def to_note(self, state: State) -> Standing:
        """What the claim says of us while we have it: on trial, when that will be over."""
        passed = self.to_pass_on(state)
        return passed if passed and passed.tenure >= 0 else tenure.on_trial(self._clocks.wall())

    def _held(self, state: State) -> float | None:
        if state.yielding or state.look:
            return None
        held = tenure.tenure(state, self._clocks.monotonic())
        if held is None and self.absence <= tenure.NEWCOMER_AFTER:
            return tenure.NOT_YET
        return held
