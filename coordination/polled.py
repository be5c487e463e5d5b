"""What a poll brought, told to its guard: a 409, another error, or a batch of updates.

It is measured and classified here; what it means for the bot is decided by `decide`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from onepoller.coordination import conflict, events, tenure
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import Action, ConflictMet, Failed, UpdatesTaken
from onepoller.coordination.wire import Refused

if TYPE_CHECKING:
    from onepoller.coordination.guard import Guard

SHORTEST_LIFE = 30.0
"""No update expires sooner (inline queries): who polled more often than that and misses one was robbed."""


def is_to_ask(guard: Guard, end: Refused) -> bool:
    """Whether a server is to be asked if the bot is still ours, before this 409 is called a rival's.

    Where our session was ended by force another of ours may poll before we hear of it. Taken for a rival it
    would be left the bot, and do the same with us: nobody would poll.
    """
    grant = guard.grant
    if end.status != 409 or grant is None or not grant.session.fence_wait:
        return False
    says = conflict.classify(conflict.Sighting(text=end.text, elapsed=0.0))
    return guard.state.episode is None and says not in conflict.WEBHOOK_KINDS


def refused(guard: Guard, end: Refused, elapsed: float, *, ago: float = 0.0) -> Action:
    """A poll or a peek was answered with an error, so many seconds `ago`: what the call does next."""
    if end.status == 409:
        return conflict_met(guard, end.text, elapsed, ago=ago)
    if end.status == 401:
        guard.emit(events.TokenRefused(bot_id=guard.bot_id))
    return guard.apply(Failed(unauthorized=end.status == 401, silence=guard.incumbency.absence))


def conflict_met(guard: Guard, text: str, elapsed: float, *, ago: float = 0.0) -> Action:
    """A 409 came, so many seconds `ago`: classify it, count it, and say what the call does next."""
    grant = guard.grant
    came = guard.clocks.monotonic() - ago
    holds_claim = grant is not None and grant.session.has_claim(guard.bot_id, grant.term)
    if grant is not None and not holds_claim:
        guard.claims.suspect(guard.bot_id)
    kind = conflict.classify(
        conflict.Sighting(
            text=text,
            elapsed=elapsed,
            holds_claim=holds_claim,
            term_age=came - guard.state.taken_at,
            unclean=guard.state.unclean,
            unheard=came - min(elapsed, conflict.TOLD_LATE) < _unheard_until(guard),
            longest_park=guard.state.longest_park,
        )
    )
    if kind is conflict.Kind.GHOST:
        guard.incumbency.heard()  # what was taken meanwhile is no news: we have not polled yet
    else:
        guard.incumbency.answered()
    guard.conflicts += 1
    guard.chronicle.text = text
    guard.emit(events.ConflictSeen(bot_id=guard.bot_id, kind=kind, seconds=elapsed))
    if kind is conflict.Kind.PEER and guard.fence.is_held_past(grant):
        return guard.end_hold()
    does = guard.apply(ConflictMet(kind=kind, elapsed=elapsed, jitter=guard.clocks.chance()))
    if kind is conflict.Kind.PEER and guard.grant is not None:
        guard.lost(events.Cause.SESSION)  # else this call polls once more: the runner may hear of it later
    return does


def is_new(guard: Guard, ids: Sequence[int], *, sent: int) -> bool:
    """Whether a batch is to be handed over; what this framework has acknowledged comes once."""
    if sent >= guard.offsets.acknowledged:
        return True
    known = guard.offsets.repeated(ids, sent=sent, api_root=guard.api_root, now=guard.clocks.wall())
    if known:
        drop(guard, known, events.Dropped.REPEATED)
    return not known


def received(guard: Guard, ids: Sequence[int]) -> None:
    """A batch is handed over; a gap is told."""
    missed, repeated = guard.offsets.received(ids)
    if missed or repeated:
        guard.emit(events.UpdateGap(bot_id=guard.bot_id, missed=missed, repeated=repeated))
        pause = guard.incumbency.pause
        if missed and pause < SHORTEST_LIFE and not _was_away(guard, pause):
            guard.apply(UpdatesTaken(jitter=guard.clocks.chance()))
        guard.chronicle.missed(missed)  # afterwards: they count in the episode that they open


def drop(guard: Guard, count: int, reason: events.Dropped) -> None:
    """A batch is not handed over; Telegram keeps it."""
    if reason is events.Dropped.STALE_OWNER:
        guard.offsets.refetched()
        guard.lost(events.Cause.SESSION)
    guard.emit(events.UpdatesDropped(bot_id=guard.bot_id, count=count, reason=reason))


def _was_away(guard: Guard, pause: float) -> bool:
    """Whether a gap tells of what a rival took while we stood by, or were cut off: that is over.

    Or of what our predecessor took, which stops as soon as it hears of us.
    """
    is_newcomer = guard.policy.on_rival is OnRival.AUTO and guard.state.established_at is None
    if guard.state.came_back or (is_newcomer and pause > tenure.NEWCOMER_AFTER):
        return True
    return guard.clocks.monotonic() - guard.incumbency.paused_ago < _unheard_until(guard)


def _unheard_until(guard: Guard) -> float:
    """Until when a predecessor whose session is over may poll as if it still held; -inf: it does not.

    A server ends sessions by its own clock, or by an administrator's word. The process may live, and goes by
    its deadline at the latest. In a fight that was going on already, the rival is the likelier one.
    """
    grant = guard.grant
    if grant is None or grant.cause is not events.Cause.DIED or guard.state.episode is not None:
        return -math.inf
    return guard.state.taken_at + grant.session.fence_wait
