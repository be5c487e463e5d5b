"""What a process knows after its server has lost data: which claims were its own, and that others had others.

A holder notices within moments, but it may be cut off, and deliver until its deadline. So for one lease after
a loss was noticed, a claim that was not written since is free only for who had it; for others it looks as if
the lost session held it. Then it is free for all. A process that starts meanwhile knows nothing of this.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.stores.engine.session import EngineSession
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot

_SOMEBODY = Identity(
    host="unknown",
    boot_id="",
    pid_namespace=0,
    pid=0,
    start_ticks=0,
    started_at=0.0,
    label="before the data were lost",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The lease after the loss of one session of ours."""

    lost: SessionId
    had: Collection[BotId]
    """What it held, if its deadline had not passed."""
    floor: Term
    """The first term since the loss; claims with a lower one were not written since."""
    until: float
    """Boot clock."""
    lease: float

    @classmethod
    def of(cls, session: EngineSession, *, floor: Term, lease: float, now: float) -> Aftermath:
        """What follows on the loss of this session, noticed now (boot clock)."""
        return cls(lost=session.id, had=session.had, floor=floor, until=now + lease, lease=lease)

    def shown(self, seen: Snapshot) -> Snapshot:
        """A snapshot as it is to be understood until then."""
        claims = {
            bot_id: claim if claim.term >= self.floor else self._from_before(claim)
            for bot_id, claim in seen.claims.items()
        }
        somebody = SessionRecord(
            id=self.lost, identity=_SOMEBODY, liveness=Liveness.ALIVE, lease=self.lease, silence=0.0
        )
        return replace(seen, claims=claims, sessions={**seen.sessions, self.lost: somebody})

    def _from_before(self, claim: Claim) -> Claim:
        if claim.bot_id in self.had:
            return replace(claim, holder=None, heir=None, clean=False)
        return claim if claim.holder is not None else replace(claim, holder=self.lost, heir=None)
