"""Standing in line for the claims that calls of this process wait for.

Wishing, taking when it is our turn, and pressing a holder that `takeover` and `replace` ask to go. Who is
next is `decide`'s; here it becomes a plan.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace

from onepoller.coordination.agenda import Agenda
from onepoller.coordination.answer import Answer
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.events import Cause
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.plan import Plan, identity_of, others, silence_of
from onepoller.coordination.settings import Settings, StartMode
from onepoller.coordination.stores.seam import Claim, Snapshot, Swap, Wish, WishMode
from onepoller.coordination.succession import QUEUE_STEP, is_claimable, line, next_holder, successor_asked_for
from onepoller.coordination.tenure import standing_to_take

LINGER = 5.0
"""A wish outlives the call that waited by so many seconds: frameworks call again at once."""
LOOK_AGAIN = 0.2
"""Who asks to take over and must not stand by looks so often whether somebody else was heard, seconds."""


@dataclass(slots=True)
class Wanted:
    """A bot that calls of this process wait for, or waited for a moment ago."""

    guard: Guard
    waiting: list[Answer[bool]] = field(default_factory=list)
    until: float = 0.0
    """When the wish ends, once nothing waits."""
    is_recorded: bool = False
    asked_at: float | None = None
    claimable_since: float | None = None
    holder: SessionId | None = None
    next_after: tuple[Claim, Identity | None] | None = None
    """At the last look we were the first in line after this claim's holder."""
    is_killing: bool = False
    is_denied: bool = False
    fenced: tuple[float, Identity | None] | None = None
    """Since when the claim is kept for us after a holder that we have fenced out, and whose it was."""

    def answer(self, *, granted: bool) -> None:
        """Tell the calls that wait."""
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call.set_result(granted)


class Queueing:
    """The bots that this process waits for."""

    def __init__(
        self,
        *,
        own: SessionId,
        fence_wait: float,
        settings: Settings,
        clocks: Clocks,
        agenda: Agenda,
        aims: dict[BotId, Term | None],
        kill: Callable[[Identity], Awaitable[None]],
        spawn: Callable[[Awaitable[None]], None],
        denied: Callable[[Claim, Identity | None], None],
    ) -> None:
        self.wanted: dict[BotId, Wanted] = {}
        self._heard_at: dict[SessionId, float] = {}
        """When each holder whose claims we took was last heard of; boot clock."""
        self.joined = 0
        """How many bots have come into the line so far."""
        self._own = own
        self._fence_wait = fence_wait
        self._settings = settings
        self._clocks = clocks
        self._agenda = agenda
        self._aims = aims
        self._kill = kill
        self._spawn = spawn
        self._denied = denied

    def join(self, guard: Guard, call: Answer[bool], *, look: bool = True) -> None:
        """A call waits for this bot. `look`: not where it is being handed over, which ends with a look."""
        wanted = self.wanted.get(guard.bot_id)
        if wanted is None:
            wanted = self.wanted[guard.bot_id] = Wanted(guard=guard)
            self.joined += 1
        wanted.guard = guard  # a retired one may have stood here
        wanted.waiting.append(call)
        if look and not (wanted.is_denied and wanted.is_recorded and wanted.claimable_since is None):
            self._agenda.touch(guard.bot_id)

    def pause(self, bot_id: BotId) -> None:
        """No call waits any more; the wish lingers for a moment."""
        wanted = self.wanted.get(bot_id)
        if wanted is not None:
            wanted.answer(granted=False)
            wanted.until = self._clocks.monotonic() + LINGER

    def leave(self, bot_id: BotId, plan: Plan) -> None:
        """Withdraw the wish."""
        wanted = self.wanted.pop(bot_id, None)
        self._agenda.drop(bot_id)
        if wanted is not None:
            plan.withdrawn.append(bot_id)
            wanted.answer(granted=False)

    def is_over(self, wanted: Wanted) -> bool:
        """Whether no call has waited for too long."""
        return not wanted.waiting and self._clocks.monotonic() >= wanted.until

    def behind(self, session: SessionId) -> set[BotId]:
        """The bots that this session held when we last looked."""
        return {b for b, w in self.wanted.items() if w.holder == session}

    def at_once(self, bots: Collection[BotId], ended: SessionId) -> Plan:
        """Take what we were next in line for, from a holder that seems to have ended, without a look before.

        The swap itself verifies that the claim is as it was and that its holder is over.
        """
        plan = Plan()
        for bot_id in bots:
            wanted = self.wanted.get(bot_id)
            if wanted is None or not wanted.waiting or wanted.next_after is None:
                continue
            claim, holder = wanted.next_after
            if claim.holder == ended:
                wanted.claimable_since = wanted.claimable_since or self._clocks.monotonic()
                self._take(claim, holder, plan)
        return plan

    def plan(
        self, wanted: Wanted, claim: Claim, snapshot: Snapshot, plan: Plan, *, not_before: float
    ) -> None:
        """Take the claim if it is our turn, but not before that moment; else stand in line."""
        bot_id, now = claim.bot_id, self._clocks.monotonic()
        if bot_id not in self._aims:
            self._aims[bot_id] = None if is_claimable(claim, snapshot.sessions) else claim.term
        wanted.next_after = None
        if wanted.fenced is not None and self._waits_for_fence(wanted, claim, plan):
            return
        before = others(snapshot, bot_id, self._own)
        if wanted.waiting and not before and is_claimable(claim, snapshot.sessions) and now >= not_before:
            # Nobody else is in the line: the one case of which there are thousands at once.
            wanted.claimable_since = wanted.claimable_since or now
            silence = self._silence_of(snapshot, claim)
            self._take(claim, identity_of(snapshot, claim.holder), plan, silence=silence)
            return
        mine = next((w for w in snapshot.wishes.get(bot_id, ()) if w.session == self._own), None)
        last = max((w.since for w in before), default=0) + 1
        provisional = Wish(bot_id=bot_id, session=self._own, since=last, priority=self._settings.priority)
        wishes = [*before, mine or provisional]
        if next_holder(claim, wishes, snapshot.sessions) is None:
            self._stand_by(wanted, claim, snapshot, plan, is_next=line(claim, wishes)[0] == self._own)
            return
        wanted.claimable_since = wanted.claimable_since or now
        place = line(claim, wishes).index(self._own)
        allowed_at = max(not_before, wanted.claimable_since + place * QUEUE_STEP)
        if wanted.waiting and now >= allowed_at:
            silence = self._silence_of(snapshot, claim)
            self._take(claim, identity_of(snapshot, claim.holder), plan, silence=silence)
            return
        if wanted.waiting:
            self._agenda.put_off(bot_id, allowed_at)
        if mine is None:
            plan.wishes.append(provisional)

    def _silence_of(self, snapshot: Snapshot, claim: Claim) -> float:
        """For how long the holder has not been heard of: a store forgets it with whoever is over.

        A fleet is taken over in batches, and with the first one the dead session is over.
        """
        if claim.holder is None:
            return 0.0
        now = self._clocks.boot()
        heard_at = max(self._heard_at.get(claim.holder, -math.inf), now - silence_of(snapshot, claim))
        self._heard_at[claim.holder] = heard_at
        return now - heard_at

    def _take(
        self,
        claim: Claim,
        came_from: Identity | None,
        plan: Plan,
        cause: Cause | None = None,
        *,
        silence: float = 0.0,
    ) -> None:
        """Plan to take it: the next term is ours."""
        holder = claim.holder
        if cause is None:
            handed = claim.heir == self._own
            cause = Cause.DIED if holder else Cause.HANDED_OVER if handed else Cause.FREE
        is_clean = holder is None and claim.clean
        taken = Claim(  # spelled out: `replace` costs 80 ms for 10,000
            bot_id=claim.bot_id,
            version=claim.version,
            holder=self._own,
            heir=None,
            term=Term(claim.term + 1),
            since=self._clocks.wall(),
            clean=is_clean,
            offset=claim.offset if is_clean else None,
            episode=claim.episode,
            standing=standing_to_take(
                claim, waited=self.wanted[claim.bot_id].is_denied, silence=silence, now=self._clocks.wall()
            ),
        )
        requires_over = holder if cause is Cause.DIED else None
        plan.swaps.append(Swap(claim=taken, requires_over=requires_over))
        plan.taking[claim.bot_id] = (cause, came_from)
        if self.wanted[claim.bot_id].is_recorded:
            plan.withdrawn.append(claim.bot_id)

    def _stand_by(
        self, wanted: Wanted, claim: Claim, snapshot: Snapshot, plan: Plan, *, is_next: bool
    ) -> None:
        """A living holder has it: record the wish, press the holder where asked, tell the guard."""
        holder = identity_of(snapshot, claim.holder)
        wanted.claimable_since = None
        wanted.holder = claim.holder
        if is_next:
            wanted.next_after = (claim, holder)
        self._ask(wanted, claim, snapshot, plan)
        if not self._settings.standby:
            self._agenda.put_off(claim.bot_id, self._clocks.monotonic() + LOOK_AGAIN)
            if self._comes_next(claim, snapshot):
                return  # the guard would end the process; not while our request to take over stands
        wanted.guard.denied(holder, claim.since)
        if not wanted.is_denied:
            wanted.is_denied = True
            self._denied(claim, holder)

    def _comes_next(self, claim: Claim, snapshot: Snapshot) -> bool:
        """Whether we ask the holder of this term, and nobody did so before us."""
        if self._settings.start is StartMode.STANDBY or self._aims[claim.bot_id] != claim.term:
            return False
        asked = successor_asked_for(claim, snapshot.wishes.get(claim.bot_id, ()))
        return asked is None or asked.session == self._own

    def _ask(self, wanted: Wanted, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        """Record the wish; with `takeover` and `replace` it asks the holder of the term that we saw first."""
        mode = self._settings.start
        aim = self._aims[claim.bot_id]
        is_asking = aim == claim.term and mode is not StartMode.STANDBY
        if is_asking and wanted.asked_at is None:
            wanted.asked_at = self._clocks.monotonic()
        if any(w.session == self._own for w in snapshot.wishes.get(claim.bot_id, ())):
            wanted.is_recorded = True
        else:
            plan.wishes.append(
                Wish(
                    bot_id=claim.bot_id,
                    session=self._own,
                    priority=self._settings.priority,
                    mode=WishMode(mode) if is_asking else WishMode.STANDBY,
                    aim=aim if is_asking else None,
                )
            )
            if is_asking and claim.holder:
                plan.wake.add(claim.holder)
        if is_asking and mode is StartMode.REPLACE:
            self._press(wanted, claim, snapshot, plan)

    def fence(self, bot_id: BotId, holder: Identity | None) -> None:
        """The claim was taken from a living holder and is kept for us; it may deliver until its deadline."""
        self.wanted[bot_id].fenced = (self._clocks.monotonic(), holder)
        self._agenda.touch(bot_id)

    def _waits_for_fence(self, wanted: Wanted, claim: Claim, plan: Plan) -> bool:
        """Take what was fenced, once its old holder's deadline has passed; False: it is not kept for us."""
        assert wanted.fenced is not None
        since, holder = wanted.fenced
        if claim.holder is not None or claim.heir != self._own:
            wanted.fenced = None
            return False
        due = since + self._fence_wait
        if self._clocks.monotonic() < due:
            self._agenda.put_off(claim.bot_id, due)
        elif wanted.waiting:
            self._take(claim, holder, plan, cause=Cause.FENCED)
        return True

    def _press(self, wanted: Wanted, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        """`replace`: after its time, end the holder (where asked), then fence it out by the next term."""
        asked = successor_asked_for(claim, snapshot.wishes.get(claim.bot_id, ()))
        if asked is not None and asked.session != self._own:
            return
        now = self._clocks.monotonic()
        waited = now - (wanted.asked_at or now)
        holder = identity_of(snapshot, claim.holder)
        kill_after = self._settings.kill_after
        if kill_after is not None and waited >= kill_after and holder is not None and not wanted.is_killing:
            wanted.is_killing = True
            self._spawn(self._kill(holder))
        if waited >= self._settings.replace_after:
            if self._fence_wait:
                plan.swaps.append(
                    Swap(claim=replace(claim, holder=None, heir=self._own, clean=False, offset=None))
                )
                plan.fencing[claim.bot_id] = holder
            else:
                self._take(claim, holder, plan, cause=Cause.FENCED)
            if claim.holder:
                plan.wake.add(claim.holder)
            return
        waits = [self._settings.replace_after]
        if kill_after is not None and not wanted.is_killing:
            waits.append(kill_after)
        self._agenda.put_off(claim.bot_id, now + min(w - waited for w in waits))
