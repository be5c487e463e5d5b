"""What is known of one bot in this process, in plain attributes. It does not lock: the ledger does."""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.conflict import RIVAL_KINDS, WEBHOOK_KINDS, Kind
from onepoller.coordination.report import Role
from onepoller.metrics.catalogue import Problem

STALE_POLLS = 3
STALE_SLACK = 30.0
"""A poll is stale after three timeouts and this much for the network, as in the alert rules."""


@dataclass(slots=True)
class Tally:
    """One bot. Times are wall clock, for people and for Prometheus; `standby_since` is monotonic."""

    label: str
    role: Role = Role.STARTING
    held: int = 0
    held_since: float = 0.0
    term: int = 0
    last_poll: float = 0.0
    polls: int = 0
    received: int = 0
    dropped: int = 0
    gaps: int = 0
    episodes: int = 0
    acquisitions: int = 0
    standby_seconds: float = 0.0
    standby_since: float | None = None
    conflict: Kind | None = None
    """The kind of the episode that goes on."""
    stalled: bool = False
    unauthorized: bool = False

    def hold(self, wall: float) -> None:
        """Note that the claim is ours."""
        if not self.held:
            self.held, self.held_since = 1, wall

    def let_go(self) -> None:
        """Note that the claim is not ours."""
        self.held, self.held_since = 0, 0.0

    def settle(self, clock: float) -> None:
        """Add the time in standby up to now."""
        if self.standby_since is not None:
            self.standby_seconds += clock - self.standby_since
            self.standby_since = clock

    def problems(self, *, wall: float, poll_timeout: float) -> tuple[Problem, ...]:
        """List what is wrong now."""
        if not (self.held or self.stalled or self.unauthorized or self.conflict):
            return ()
        since = max(self.last_poll, self.held_since)
        found = (
            (Problem.RIVAL, self.conflict in RIVAL_KINDS),
            (Problem.WEBHOOK, self.conflict in WEBHOOK_KINDS),
            (Problem.STALLED, self.stalled),
            (Problem.UNAUTHORIZED, self.unauthorized),
            (Problem.STALE_POLL, self.held and wall - since > STALE_POLLS * poll_timeout + STALE_SLACK),
        )
        return tuple(problem for problem, is_so in found if is_so)
