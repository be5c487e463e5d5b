"""A bot's Lease: our claim in its annotation, and in the standard fields who holds it, for people."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onepoller.coordination.identity import BotId, Term, first_term
from onepoller.coordination.stores.kubernetes.body import (
    RECORD,
    Body,
    annotation_of,
    body,
    created_at,
    micro_time,
    whole_seconds,
)
from onepoller.coordination.stores.kubernetes.names import BOTS, Names
from onepoller.coordination.stores.records import claim_of, claim_text
from onepoller.coordination.stores.seam import Claim

MOST_TRANSITIONS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ClaimLease:
    """A claim as it was read, and of its Lease what the next write needs; no Lease: never written."""

    claim: Claim
    uid: str = ""
    version: str = ""
    transitions: int = 0
    first_term: Term = Term(0)
    """No term of this claim is before it: it is the Lease's creation time, by the server's clock."""

    @classmethod
    def of(cls, bot_id: BotId, lease: Body | None) -> ClaimLease:
        """What a bot's Lease says. One without our record, as somebody made it by hand, says nothing.

        Its terms do not go back where the Lease was deleted and is made anew: that has a later first term.
        """
        if lease is None:
            return cls(Claim(bot_id=bot_id))
        try:
            claim = replace(claim_of(annotation_of(lease)), bot_id=bot_id)
        except (ValueError, KeyError, TypeError):
            claim = Claim(bot_id=bot_id)
        first = first_term(created_at(lease))
        if claim.version and claim.term < first:
            claim = replace(claim, term=first)
        return cls(
            claim,
            uid=lease["metadata"]["uid"],
            version=lease["metadata"]["resourceVersion"],
            transitions=lease["spec"].get("leaseTransitions") or 0,
            first_term=first,
        )

    @property
    def exists(self) -> bool:
        """Whether there is a Lease."""
        return bool(self.uid)

    def is_later_than(self, other: ClaimLease) -> bool:
        """Whether this is a later state of the same Lease. Resource versions of one Lease grow."""
        return self.exists and self.uid == other.uid and int(self.version) > int(other.version)

    def body(self, names: Names, claim: Claim, *, holder: str, lease: float, now: float) -> Body:
        """The Lease to write for a claim: `holder` as people read it, the `lease` of sessions in seconds."""
        changes = claim.holder is not None and claim.holder != self.claim.holder and self.exists
        return body(
            names.bot(claim.bot_id),
            labels=names.labels(BOTS, claim.holder),
            annotations={RECORD: claim_text(claim)},
            spec={
                "holderIdentity": holder,
                "leaseDurationSeconds": whole_seconds(lease),
                "acquireTime": micro_time(claim.since) if claim.holder else None,
                "renewTime": micro_time(now),
                "leaseTransitions": min(self.transitions + changes, MOST_TRANSITIONS),
            },
            before={"metadata": {"uid": self.uid, "resourceVersion": self.version}} if self.exists else None,
        )
