"""One process's dealings with its store: take what is ours, wish for the rest, release, hand over.

Everything runs on the runner's loop, one batch at a time: read the bots that something happened to, plan,
write all of it in one swap. However many bots there are, a takeover is one write. Nothing here waits for a
framework but `hand_over`, which waits for its last offset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from onepoller.coordination import events
from onepoller.coordination.agenda import Agenda
from onepoller.coordination.answer import Answer
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.decide import QUEUE_STEP, line, successor_asked_for
from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.events import Cause, ClaimEvent
from onepoller.coordination.grant import Grant
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.plan import Plan, identity_of, others
from onepoller.coordination.queueing import Queueing, Wanted
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.seam import Claim, Episode, Session, Snapshot, Store, Swap, WishMode

MANY = 100
"""So many bots that come into the line at once may be the start of a fleet."""
GATHER_STEP = 0.02
GATHER_LIMIT = 1.0
"""Then the rest is waited for: while more come in each step, and at most so long, seconds."""
ENDING_LIMIT = 1.0
"""On the way out the polls have so long to close their connections, seconds."""
OVERTIME = 20.0
"""A handover waits so much longer for a poll that cannot be ended."""


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
        spawn: Callable[[Awaitable[None]], None],
        kill: Callable[[Identity], Awaitable[None]],
        aims: dict[BotId, Term | None],
    ) -> None:
        self.session = session
        self.held: dict[BotId, Claim] = {}
        self.is_reported = True
        """Whether a beat has said what we hold: from that a database that was lost is made anew."""
        self.agenda = Agenda(clocks.monotonic)
        self._store = store
        self._settings = settings
        self._clocks = clocks
        self._emit = emit
        self._spawn = spawn
        self._queue = Queueing(
            own=session.id,
            settings=settings,
            clocks=clocks,
            agenda=self.agenda,
            aims=aims,
            kill=kill,
            spawn=spawn,
            denied=lambda claim, holder: self._tell(claim, ClaimEvent.DENIED, Cause.FREE, holder),
        )
        self._guards: dict[BotId, Guard] = {}
        self._releases: dict[BotId, tuple[Guard, Cause]] = {}
        self._heirs: dict[BotId, SessionId | None] = {}
        self._released: dict[BotId, float] = {}
        self._episodes: dict[BotId, Episode | None] = {}
        self._draining: set[BotId] = set()
        self._suspected: set[BotId] = set()
        self._settling = asyncio.Lock()
        self._answers: list[Answer[bool]] = []
        self._untold: list[events.Event] = []
        self._gathered = 0
        """How many bots had come into the line when the last settling began."""

    # What others tell us; all on the runner's loop

    def want(self, guard: Guard, call: Answer[bool]) -> None:
        """A call waits for this bot."""
        if guard.grant is not None and guard.bot_id in self.held and guard.bot_id not in self._draining:
            call.set_result(True)
            return
        self._queue.join(guard, call)

    def unwant(self, bot_id: BotId) -> None:
        """No call waits any more."""
        self._queue.pause(bot_id)

    def release(self, guard: Guard, cause: Cause) -> None:
        """Let the claim, or the wish, go. No poll of it is open."""
        self._releases[guard.bot_id] = (guard, cause)
        self.agenda.touch(guard.bot_id)

    def note_episode(self, bot_id: BotId, episode: Episode | None) -> None:
        """Keep an episode with the claim."""
        if bot_id in self.held:
            self._episodes[bot_id] = episode
            self.agenda.touch(bot_id)

    async def changed(self, session: SessionId | None) -> None:
        """The store says that something happened to a session, or to anything (None). Raises SessionOver."""
        if session is None or session == self.session.id:
            self.agenda.touch(*self._queue.wanted, *self.held)
            return
        bots = self._queue.behind(session)
        if not bots:
            return
        # Here and now: each turn of the loop that comes between costs a takeover a tenth of a millisecond.
        try:
            async with self._settling:
                try:
                    plan = self._queue.at_once(bots - self._releases.keys(), session)
                    if not plan.is_empty:
                        bots = bots - await self._write(plan)
                finally:
                    self._answer()
        except StoreUnavailable:
            pass  # the settling meets it too, and tells
        self.agenda.touch(*bots)

    def suspect(self, bot_id: BotId) -> None:
        """A look before delivery has failed: until `believe`, rows that name us do not make it ours again."""
        self._suspected.add(bot_id)
        self.agenda.touch(bot_id)

    def believe(self, bot_id: BotId) -> None:
        """The session is confirmed: what the store says of this claim holds."""
        self._suspected.discard(bot_id)
        self.agenda.touch(bot_id)

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

    async def settle(self, bots: Iterable[BotId]) -> None:
        """Read these bots, decide, write."""
        async with self._settling:
            try:
                await self._settle(set(bots))
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

    async def _settle(self, bots: set[BotId]) -> None:
        if not bots:
            return
        snapshot = await self._store.read(bots)
        plan = Plan()
        for bot_id in bots:
            self._plan(bot_id, snapshot, plan)
        if not plan.is_empty:
            await self._write(plan)

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
        if bot_id in self._draining:
            if not is_ours and bot_id in self.held:
                self._claim_lost(bot_id, claim, snapshot)
        elif bot_id in self._releases:
            self._plan_release(bot_id, claim, snapshot, plan)
        elif is_ours:
            self._plan_held(bot_id, claim, snapshot, plan)
        else:
            if bot_id in self.held:
                self._claim_lost(bot_id, claim, snapshot)
            self._plan_wanted(bot_id, claim, snapshot, plan)

    def _plan_wanted(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        wanted = self._queue.wanted.get(bot_id)
        if wanted is None:
            return
        if self._queue.is_over(wanted):
            self._queue.leave(bot_id, plan)
            return
        released = self._released.get(bot_id)
        if released is not None and self._clocks.monotonic() < released + QUEUE_STEP:
            # We have just let it go: our own wish must not keep its heir from the store.
            self.agenda.put_off(bot_id, released + QUEUE_STEP)
            return
        self._queue.plan(wanted, claim, snapshot, plan)

    def _plan_held(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        """It is ours: go on, note an episode, or start the handover that somebody asked for."""
        known = self.held.get(bot_id)
        wanted = self._queue.wanted.get(bot_id)
        guard = self._guards.get(bot_id) or (wanted.guard if wanted else None)
        if guard is None or bot_id in self._suspected:
            return
        if known is None or known.term != claim.term or guard.grant is None:
            # The store was made anew and names us, or the answer to our write was lost.
            self._granted(guard, claim, Cause.SESSION, None)
            return
        self.held[bot_id] = claim
        if wanted is not None:
            del self._queue.wanted[bot_id]
            wanted.answer(granted=True)
        waiting = others(snapshot, bot_id, self.session.id)
        asked = successor_asked_for(claim, waiting)
        if asked is not None and line(claim, waiting):
            heir = None if asked.mode is WishMode.HANDOVER else asked.session
            self._spawn(self.hand_over({bot_id: heir}, cause=Cause.HANDED_OVER))
        elif bot_id in self._episodes:
            plan.swaps.append(Swap(claim=replace(claim, episode=self._episodes[bot_id])))

    def _plan_release(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        if claim.holder != self.session.id:
            del self._releases[bot_id]
            self._let_go(bot_id)
            wanted = self._queue.wanted.get(bot_id)
            if wanted is not None and wanted.waiting:
                self.agenda.touch(bot_id)
            else:
                self._queue.leave(bot_id, plan)
            return
        guard, _ = self._releases[bot_id]
        directed = replace(claim, heir=self._heirs.get(bot_id))
        heir = next(iter(line(directed, others(snapshot, bot_id, self.session.id))), None)
        episode = self._episodes.get(bot_id, claim.episode)
        offset = guard.offset_to_hand_over() or claim.offset
        free = replace(claim, holder=None, heir=heir, clean=True, offset=offset, episode=episode)
        plan.swaps.append(Swap(claim=free))
        plan.releasing[bot_id] = identity_of(snapshot, heir)
        if heir is not None:
            plan.wake.add(heir)

    # What was written

    def _written(self, claim: Claim, plan: Plan) -> None:
        bot_id = claim.bot_id
        if claim.holder == self.session.id:
            if bot_id in plan.taking:
                cause, came_from = plan.taking[bot_id]
                self._granted(self._queue.wanted[bot_id].guard, claim, cause, came_from)
            else:
                self.held[bot_id] = claim
                self._episodes.pop(bot_id, None)
            return
        guard, cause = self._releases.pop(bot_id)
        heir = plan.releasing.get(bot_id)
        self._released[bot_id] = self._clocks.monotonic()
        self._let_go(bot_id)
        event = ClaimEvent.HANDED_OVER if cause is Cause.HANDED_OVER else ClaimEvent.RELEASED
        self._tell(claim, event, cause, heir)
        if guard.grant is not None:
            guard.lost(cause, to=heir, since=self._clocks.wall())
        if bot_id in self._queue.wanted:
            self.agenda.touch(bot_id)

    def _granted(self, guard: Guard, claim: Claim, cause: Cause, came_from: Identity | None) -> None:
        bot_id = claim.bot_id
        wanted = self._queue.wanted.pop(bot_id, None)
        self.held[bot_id] = claim
        self._guards[bot_id] = guard
        self.is_reported = False
        self._released.pop(bot_id, None)
        decided_at = (wanted.claimable_since if wanted else None) or self._clocks.monotonic()
        grant = Grant(session=self.session, term=claim.term, decided_at=decided_at, cause=cause)
        guard.granted(grant, claim, came_from=came_from)
        event = ClaimEvent.ACQUIRED if cause is Cause.FREE else ClaimEvent.TAKEN_OVER
        self._untold.append(_changed(claim, event, cause, came_from))
        if wanted is not None:
            self._answers += wanted.waiting

    def _claim_lost(self, bot_id: BotId, claim: Claim, snapshot: Snapshot) -> None:
        guard = self._guards.get(bot_id)
        self._let_go(bot_id)
        taker = identity_of(snapshot, claim.holder)
        self._tell(claim, ClaimEvent.LOST, Cause.FENCED, taker)
        if guard is not None:
            guard.lost(Cause.FENCED, to=taker, since=claim.since)

    def _let_go(self, bot_id: BotId) -> None:
        self.held.pop(bot_id, None)
        self._guards.pop(bot_id, None)
        self._episodes.pop(bot_id, None)

    def lose_everything(self) -> None:
        """The session is over: every claim is lost; who waits, waits on with the next session."""
        for bot_id in list(self.held):
            guard = self._guards[bot_id]
            self._tell(self.held[bot_id], ClaimEvent.EXPIRED, Cause.SESSION, None)
            guard.lost(Cause.SESSION)
        self.held.clear()

    def inherit(self, before: Negotiation) -> None:
        """Take over the calls that wait, from the negotiation of the session before."""
        for bot_id, wanted in before._queue.wanted.items():
            if wanted.waiting:
                self._queue.wanted[bot_id] = Wanted(guard=wanted.guard, waiting=wanted.waiting)
                self.agenda.touch(bot_id)

    # Handing over

    async def hand_over(self, heirs: dict[BotId, SessionId | None], *, cause: Cause) -> None:
        """End our polls and give these claims to their heirs, in one transaction."""
        heirs = {b: heir for b, heir in heirs.items() if b in self.held and b not in self._draining}
        if not heirs:
            return
        self._draining.update(heirs)
        try:
            await self._drain(heirs)
            for bot_id in self.held.keys() & heirs.keys():
                self._releases[bot_id] = (self._guards[bot_id], cause)
            self._heirs.update(heirs)
        finally:
            self._draining.difference_update(heirs)
        await self.settle(heirs)
        for bot_id in heirs:
            self._heirs.pop(bot_id, None)
            if bot_id in self.held:
                self._guards[bot_id].end_drain()
        self.agenda.touch(*heirs)

    async def _drain(self, bots: Iterable[BotId]) -> None:
        guards = [self._guards[bot_id] for bot_id in bots]
        waiters = {asyncio.ensure_future(asyncio.wrap_future(g.begin_drain())): g for g in guards}
        await asyncio.wait(waiters, timeout=self._settings.drain_timeout)
        late = [waiter for waiter, guard in waiters.items() if not waiter.done() and guard.is_polling]
        if late:
            # A poll that cannot be ended is allowed to end; nobody may follow before it has.
            await asyncio.wait(late, timeout=OVERTIME + self._settings.drain_timeout)
        for waiter in waiters:
            waiter.cancel()

    async def pass_on(self, bot_id: BotId) -> None:
        """Give a claim to a peer that waits, because our own calls only fail."""
        snapshot = await self._store.read({bot_id})
        heirs = line(snapshot.claims[bot_id], others(snapshot, bot_id, self.session.id))
        if heirs:
            await self.hand_over({bot_id: heirs[0]}, cause=Cause.FAILING)

    async def release_all(self, can_end: Callable[[Guard], bool]) -> None:
        """On the way out: end the polls that can be ended, and let go of everything, in one transaction."""
        ending = {bot_id for bot_id in self.held if can_end(self._guards[bot_id])}
        if ending:
            self._draining |= ending  # who is told that its poll has ended asks for the claim again
            drains = [asyncio.wrap_future(self._guards[bot_id].begin_drain()) for bot_id in ending]
            await asyncio.wait(drains, timeout=ENDING_LIMIT)
            self._draining -= ending
        for bot_id in list(self.held):
            self._releases[bot_id] = (self._guards[bot_id], Cause.STOPPED)
        await self.settle(list(self._releases))

    async def is_awaited(self, bot_id: BotId) -> bool:
        """Whether another session waits for this claim."""
        snapshot = await self._store.read({bot_id})
        return bool(line(snapshot.claims[bot_id], others(snapshot, bot_id, self.session.id)))

    def _tell(self, claim: Claim, event: ClaimEvent, cause: Cause, other: Identity | None) -> None:
        self._emit(_changed(claim, event, cause, other))


def _changed(claim: Claim, event: ClaimEvent, cause: Cause, other: Identity | None) -> events.ClaimChanged:
    return events.ClaimChanged(bot_id=claim.bot_id, event=event, term=claim.term, cause=cause, other=other)
