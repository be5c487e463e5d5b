"""What a process knows after the server has lost data: which claims were its own, and that others had others.

A holder notices within moments, but it may be cut off, and deliver until its deadline. So for one lease after
a loss was noticed, a claim that was not written since is free only for who had it; for others it looks as if
the lost session held it. Then it is free for all. A process that starts meanwhile knows nothing of this where
nothing is left on the server; where old data came back, the server keeps the old sessions for as long.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot

_SOMEBODY = Identity(
    host="unknown", boot_id="", pid_namespace=0, pid=0, start_ticks=0, started_at=0.0, label="before the loss"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """After the loss of one session of ours."""

    lost: SessionId
    until: float
    """On the clock of the session's deadline."""
    ours: Collection[BotId]
    """What it held, where its deadline had not passed."""
    lease: float

    def shown(self, seen: Snapshot, *, first_term: Term) -> Snapshot:
        """A snapshot as it is to be understood. `first_term`: of the new beginning; lower ones are older."""
        claims = {
            bot_id: claim if claim.term >= first_term else self._old(claim)
            for bot_id, claim in seen.claims.items()
        }
        somebody = SessionRecord(
            id=self.lost, identity=_SOMEBODY, liveness=Liveness.ALIVE, lease=self.lease, silence=0.0
        )
        sessions = {**seen.sessions, self.lost: somebody}
        return Snapshot(claims=claims, wishes=seen.wishes, sessions=sessions, trouble=seen.trouble)

    def _old(self, claim: Claim) -> Claim:
        if claim.bot_id in self.ours:
            return replace(claim, holder=None, heir=None, clean=False)
        return claim if claim.holder is not None else replace(claim, holder=self.lost, heir=None)
