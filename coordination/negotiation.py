"""One session's dealings with its store: read the bots that something happened to, plan, write.

Everything runs on the runner's loop, one batch at a time, and all of a batch is one swap: however many bots
there are, a takeover is one write. What is planned is said by three: `queueing` stands in line for claims,
`holding` knows those that are ours, `releasing` lets them go. Nothing here waits for a framework.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from onepoller.coordination import events
from onepoller.coordination.agenda import Agenda
from onepoller.coordination.answer import Answer
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.collector import uncollected
from onepoller.coordination.errors import SetupError, StoreUnavailable
from onepoller.coordination.events import Cause, ClaimEvent
from onepoller.coordination.grant import Grant
from onepoller.coordination.guard import Guard
from onepoller.coordination.holding import Holding, changed
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.plan import Plan, others
from onepoller.coordination.queueing import Queueing, Wanted
from onepoller.coordination.releasing import Releasing
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.seam import Claim, Episode, Session, Snapshot, Store, Swap, WishMode
from onepoller.coordination.succession import QUEUE_STEP, line, successor_asked_for

MANY = 100
"""So many bots that come into the line at once may be the start of a fleet."""
HEIR_STEP = 1.5
"""So long whoever has handed a claim on does not take it back, seconds: where a store wakes nobody, or is far
away, the heir hears of it at its next look."""
GATHER_STEP = 0.02
GATHER_LIMIT = 1.0
"""Then the rest is waited for: while more come in each step, and at most so long, seconds."""


class Negotiation:
    """The claims and wishes of one session. Made anew with each session."""

    def __init__(
        self,
        *,
        store: Store,
        session: Session,
        settings: Settings,
        clocks: Clocks,
        emit: Callable[[events.Event], None],
        spawn: Callable[[Awaitable[object]], None],
        kill: Callable[[Identity], Awaitable[None]],
        aims: dict[BotId, Term | None],
    ) -> None:
        self.session = session
        self.holding = Holding(emit)
        self.agenda = Agenda(clocks.monotonic)
        self._store = store
        self._clocks = clocks
        self._emit = emit
        self._spawn = spawn
        self._queue = Queueing(
            own=session.id,
            fence_wait=session.fence_wait,
            settings=settings,
            clocks=clocks,
            agenda=self.agenda,
            aims=aims,
            kill=kill,
            spawn=spawn,
            denied=lambda claim, holder: self.holding.tell(claim, ClaimEvent.DENIED, Cause.FREE, holder),
        )
        self.releasing = Releasing(
            own=session.id,
            store=store,
            settings=settings,
            clocks=clocks,
            agenda=self.agenda,
            queue=self._queue,
            holding=self.holding,
            settle=self.settle,
        )
        self._suspected: set[BotId] = set()
        self._settling = asyncio.Lock()
        self._answers: list[Answer[bool]] = []
        self._untold: list[events.Event] = []
        self._gathered = 0
        """How many bots had come into the line when the last settling began."""

    # What others tell us; all on the runner's loop

    def want(self, guard: Guard, call: Answer[bool]) -> None:
        """A call waits for this bot."""
        is_held = guard.grant is not None and guard.bot_id in self.holding.claims
        is_leaving = guard.bot_id in self.releasing.draining or guard.bot_id in self.releasing.due
        if is_held and not is_leaving:
            call.set_result(True)
            return
        self._queue.join(guard, call, look=not is_leaving)

    def unwant(self, bot_id: BotId) -> None:
        """No call waits any more."""
        self._queue.pause(bot_id)

    def note_episode(self, bot_id: BotId, episode: Episode | None) -> None:
        """Keep an episode with the claim."""
        if bot_id in self.holding.claims:
            self.holding.episodes[bot_id] = episode
            self.agenda.touch(bot_id)

    def note_standing(self, bot_id: BotId) -> None:
        """Write the claim again: its holder's standing is not what it was."""
        claim = self.holding.claims.get(bot_id)
        if claim is not None:
            self.note_episode(bot_id, self.holding.episodes.get(bot_id, claim.episode))

    async def changed(self, session: SessionId | None) -> None:
        """The store says that something happened to a session, or to anything (None). Raises SessionOver."""
        if session is None or session == self.session.id:
            self.look()
            return
        bots = self._queue.behind(session)
        if not bots:
            return
        # Here and now: each turn of the loop that comes between costs a takeover a tenth of a millisecond.
        try:
            async with self._settling:
                with uncollected(len(bots)):
                    try:
                        plan = self._queue.at_once(bots - self.releasing.due.keys(), session)
                        if not plan.is_empty:
                            bots = bots - await self._write(plan)
                    finally:
                        self._answer()
        except (StoreUnavailable, SetupError):
            pass  # the settling meets it too, and tells
        self.agenda.touch(*bots)

    def look(self) -> None:
        """Anything may have happened."""
        self.agenda.touch(*self._queue.wanted, *self.holding.claims)

    def suspect(self, bot_id: BotId) -> None:
        """A look before delivery has failed: until `believe`, rows that name us do not make it ours again."""
        self._suspected.add(bot_id)
        self.agenda.touch(bot_id)

    def believe(self, bot_id: BotId) -> None:
        """The session is confirmed: what the store says of this claim holds."""
        self._suspected.discard(bot_id)
        self.agenda.touch(bot_id)

    def stand_by(self) -> None:
        """The store is away and our deadline is here: what we held may be another's by now."""
        self._suspected.update(self.holding.claims)
        self.holding.lose_everything(Cause.STORE)

    def go_on(self) -> None:
        """The session lives after all: what the store says is ours is ours again."""
        bots, self._suspected = self._suspected, set()
        self.agenda.touch(*bots, *self.holding.guards)

    def expire_wishes(self) -> None:
        """Withdraw the wishes that no call has waited for since a while."""
        self.agenda.touch(*(b for b, w in self._queue.wanted.items() if self._queue.is_over(w)))

    # Settling

    async def gather(self) -> None:
        """Wait for the rest, where a fleet is starting; else return at once.

        The thread that starts ten thousand calls has no time for a poll in between. Two batches, the second
        beside the polls of the first, take twice as long as one until all is claimed (2.1 s; 1.2 s).
        """
        end = self._clocks.monotonic() + GATHER_LIMIT
        seen = self._gathered
        while seen != (joined := self._queue.joined) > self._gathered + MANY:
            if self._clocks.monotonic() >= end:
                break
            seen = joined
            await asyncio.sleep(GATHER_STEP)
        self._gathered = self._queue.joined

    async def settle_due(self) -> None:
        """Settle what there is to settle. Raises SessionOver, StoreUnavailable; nothing is forgotten then."""
        bots = self.agenda.take()
        try:
            await self.settle(BotId(b) for b in bots)
        except BaseException:
            self.agenda.touch(*bots)
            raise

    async def settle(self, bots: Iterable[BotId], seen: Snapshot | None = None) -> None:
        """Read these bots, decide, write. `seen`: they were read a moment ago."""
        due = set(bots)
        async with self._settling:
            with uncollected(len(due)):
                try:
                    await self._settle(due, seen)
                finally:
                    self._answer()

    def _answer(self) -> None:
        """Answer the calls whose claim was granted, and then tell of the claims.

        All together, once every guard knows: each answer wakes a caller, who competes with us for the
        interpreter. While it wakes up, which takes a moment, there is time to tell.
        """
        answers, self._answers = self._answers, []
        untold, self._untold = self._untold, []
        for call in answers:
            call.set_result(True)
        for event in untold:
            self._emit(event)

    async def _settle(self, bots: set[BotId], seen: Snapshot | None) -> None:
        bots = bots - self._put_off(bots)
        if not bots:
            return
        snapshot = seen if seen is not None else await self._store.read(bots)
        plan = Plan()
        for bot_id in bots:
            self._plan(bot_id, snapshot, plan)
        if not plan.is_empty:
            await self._write(plan)

    def _put_off(self, bots: set[BotId]) -> set[BotId]:
        """Those that we have just let go: neither our look nor our wish keeps their heir from the store."""
        now, released = self._clocks.monotonic(), self.releasing.released
        early = {
            b for b in bots if b in released and b in self._queue.wanted and now < released[b] + QUEUE_STEP
        }
        early -= self.releasing.due.keys()
        for bot_id in early:
            self.agenda.put_off(bot_id, released[bot_id] + QUEUE_STEP)
        return early

    async def _write(self, plan: Plan) -> set[BotId]:
        """Write a plan; what was refused is looked at again. Gives the bots whose claim was written."""
        swapped = await self._store.swap(self.session, plan.batch(own=self.session.id))
        for wish in plan.wishes:
            wanted = self._queue.wanted.get(wish.bot_id)
            if wanted is not None and not wanted.is_recorded:
                wanted.is_recorded = True
                # Whoever let the claim go between our read and this write knew nobody to wake.
                self.agenda.touch(wish.bot_id)
        for swap in plan.swaps:
            written = swapped.written.get(swap.claim.bot_id)
            if written is None:
                self.agenda.touch(swap.claim.bot_id)
            else:
                self._written(written, plan)
        return set(swapped.written)

    # Planning

    def _plan(self, bot_id: BotId, snapshot: Snapshot, plan: Plan) -> None:
        claim = snapshot.claims[bot_id]
        is_ours = claim.holder == self.session.id
        if bot_id in self.releasing.draining:
            if not is_ours and bot_id in self.holding.claims:
                self.holding.lose(claim, snapshot)
        elif bot_id in self.releasing.due:
            self.releasing.plan(claim, snapshot, plan)
        elif is_ours:
            self._plan_held(bot_id, claim, snapshot, plan)
        else:
            if bot_id in self.holding.claims:
                self.holding.lose(claim, snapshot)
            self._plan_wanted(bot_id, claim, snapshot, plan)

    def _plan_wanted(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        wanted = self._queue.wanted.get(bot_id)
        if wanted is None:
            return
        if self._queue.is_over(wanted):
            self._queue.leave(bot_id, plan)
            return
        released = self.releasing.released.get(bot_id, -math.inf)
        is_for_another = claim.holder is None and claim.heir not in {None, self.session.id}
        not_before = released + HEIR_STEP if is_for_another else -math.inf
        self._queue.plan(wanted, claim, snapshot, plan, not_before=not_before)

    def _plan_held(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        """It is ours: go on, note an episode, or start the handover that somebody asked for."""
        known = self.holding.claims.get(bot_id)
        wanted = self._queue.wanted.get(bot_id)
        guard = self.holding.guards.get(bot_id) or (wanted.guard if wanted else None)
        if guard is None or bot_id in self._suspected:
            return
        if known is None or known.term != claim.term or guard.grant is None:
            # The store was made anew and names us, or the answer to our write was lost.
            self._granted(guard, claim, Cause.SESSION, None)
            return
        self.holding.claims[bot_id] = claim
        if wanted is not None:
            del self._queue.wanted[bot_id]
            wanted.answer(granted=True)
        waiting = others(snapshot, bot_id, self.session.id)
        asked = successor_asked_for(claim, waiting)
        if asked is not None and line(claim, waiting):
            heir = None if asked.mode is WishMode.HANDOVER else asked.session
            self._spawn(self.releasing.hand_over({bot_id: heir}, cause=Cause.HANDED_OVER))
        elif bot_id in self.holding.episodes:
            standing = guard.incumbency.to_note(guard.state)
            plan.swaps.append(
                Swap(claim=replace(claim, episode=self.holding.episodes[bot_id], standing=standing))
            )

    # What was written

    def _written(self, claim: Claim, plan: Plan) -> None:
        bot_id = claim.bot_id
        if claim.holder == self.session.id:
            if bot_id in plan.taking:
                cause, came_from = plan.taking[bot_id]
                self._granted(self._queue.wanted[bot_id].guard, claim, cause, came_from)
            else:
                self.holding.claims[bot_id] = claim
                self.holding.episodes.pop(bot_id, None)
        elif bot_id in plan.fencing:
            self._queue.fence(bot_id, plan.fencing[bot_id])
        else:
            self.releasing.written(claim, plan)

    def _granted(self, guard: Guard, claim: Claim, cause: Cause, came_from: Identity | None) -> None:
        bot_id = claim.bot_id
        wanted = self._queue.wanted.pop(bot_id, None)
        self.holding.take(guard, claim)
        self.releasing.released.pop(bot_id, None)
        decided_at = (wanted.claimable_since if wanted else None) or self._clocks.monotonic()
        grant = Grant(session=self.session, term=claim.term, decided_at=decided_at, cause=cause)
        guard.granted(grant, claim, came_from=came_from)
        event = ClaimEvent.ACQUIRED if cause is Cause.FREE else ClaimEvent.TAKEN_OVER
        self._untold.append(changed(claim, event, cause, came_from))
        if wanted is not None:
            self._answers += wanted.waiting

    def inherit(self, before: Negotiation) -> None:
        """Take over the calls that wait, from the negotiation of the session before."""
        for bot_id, wanted in before._queue.wanted.items():
            if wanted.waiting:
                self._queue.wanted[bot_id] = Wanted(guard=wanted.guard, waiting=wanted.waiting)
                self.agenda.touch(bot_id)
