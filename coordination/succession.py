"""Who is next: to whom a claim goes when it is free. Pure, as `decide` is.

A claim can be taken when it is free or its holder is over. Then it goes to its heir (a directed transfer),
else to the highest priority, else to who came first. Only the one who is named writes at once; the n-th in
line may write n x 50 ms later, so that a hundred standbys make one write. A living holder is never pushed out
by priority. Who starts with `takeover` or `replace` asks the holder of the term that it saw; of several for
one term the first recorded is the one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Wish, WishMode

QUEUE_STEP = 0.05
"""The n-th in line writes n times this later, seconds."""


def is_claimable(claim: Claim, sessions: Mapping[SessionId, SessionRecord]) -> bool:
    """Whether the claim is free, or its holder is over or silent (which the store then has to prove)."""
    if claim.holder is None:
        return True
    holder = sessions.get(claim.holder)
    return holder is None or holder.liveness is not Liveness.ALIVE


def line(claim: Claim, wishes: Sequence[Wish]) -> list[SessionId]:
    """Who waits, in the order in which they get the claim: heir, then priority, then first come."""
    waiting = [w for w in wishes if w.mode is not WishMode.HANDOVER]
    waiting.sort(key=lambda w: (w.session != claim.heir, -w.priority, w.since))
    return [wish.session for wish in waiting]


def next_holder(
    claim: Claim, wishes: Sequence[Wish], sessions: Mapping[SessionId, SessionRecord]
) -> SessionId | None:
    """The one session that takes this claim now; None while a living holder has it or nobody waits."""
    waiting = line(claim, wishes)
    return waiting[0] if waiting and is_claimable(claim, sessions) else None


def successor_asked_for(claim: Claim, wishes: Sequence[Wish]) -> Wish | None:
    """The wish that asks the holder of exactly this term to hand over: the first recorded one."""
    asking = [w for w in wishes if w.mode is not WishMode.STANDBY and w.aim == claim.term]
    return min(asking, key=lambda w: w.since, default=None)
