"""One process's dealings with its store: take what is ours, wish for the rest, release, hand over.

Everything runs on the runner's loop, one batch at a time: read the bots that something happened to, ask
`decide` who is next, write all of it in one swap. However many bots there are, a takeover is one read and
one write. Nothing here waits for a framework but `hand_over`, which waits for its last offset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from onepoller.coordination import events
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.decide import QUEUE_STEP, is_claimable, line, next_holder, successor_asked_for
from onepoller.coordination.events import Cause, ClaimEvent
from onepoller.coordination.grant import Grant
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.settings import Settings, StartMode
from onepoller.coordination.stores.seam import (
    Batch,
    Claim,
    Episode,
    Liveness,
    Session,
    Snapshot,
    Store,
    Swap,
    Wish,
    WishMode,
)

LINGER = 5.0
"""A wish outlives the call that waited by so many seconds: frameworks call again at once."""
LOOK_AGAIN = 0.2
"""Who asks to take over and must not stand by looks so often whether somebody else was heard, seconds."""
OVERTIME = 20.0
"""A handover waits so much longer for a poll that cannot be ended."""


@dataclass(slots=True)
class _Wanted:
    """A bot that calls of this process wait for, or waited for a moment ago."""

    guard: Guard
    waiting: list[Future[bool]] = field(default_factory=list)
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


@dataclass(slots=True)
class _Plan:
    """What one settling is going to write."""

    swaps: list[Swap] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    withdrawn: list[BotId] = field(default_factory=list)
    wake: set[SessionId] = field(default_factory=set)
    taking: dict[BotId, tuple[Cause, Identity | None]] = field(default_factory=dict)
    releasing: dict[BotId, Identity | None] = field(default_factory=dict)


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
        self.wanted: dict[BotId, _Wanted] = {}
        self._store = store
        self._settings = settings
        self._clocks = clocks
        self._emit = emit
        self._spawn = spawn
        self._kill = kill
        self._aims = aims
        self._dirty: set[BotId] = set()
        self._due: dict[BotId, float] = {}
        self._releases: dict[BotId, tuple[Guard, Cause]] = {}
        self._episodes: dict[BotId, Episode | None] = {}
        self._guards: dict[BotId, Guard] = {}
        self._draining: set[BotId] = set()
        self._released: dict[BotId, float] = {}
        self._ended: set[SessionId] = set()
        """Sessions that seem to have ended since the last settling."""
        self._heirs: dict[BotId, SessionId | None] = {}
        self._settling = asyncio.Lock()
        self._answers: list[Future[bool]] = []
        self._work = asyncio.Event()

    # What others tell us; all on the runner's loop

    def want(self, guard: Guard, future: Future[bool]) -> None:
        """A call waits for this bot."""
        bot_id = guard.bot_id
        if guard.grant is not None and bot_id in self.held and bot_id not in self._draining:
            _settle_future(future, done=True)
            return
        wanted = self.wanted.setdefault(bot_id, _Wanted(guard=guard))
        wanted.waiting.append(future)
        if wanted.is_denied and wanted.is_recorded and wanted.claimable_since is None:
            return
        self._touch(bot_id)

    def unwant(self, bot_id: BotId) -> None:
        """No call waits any more; the wish lingers for a moment."""
        wanted = self.wanted.get(bot_id)
        if wanted is not None:
            for future in wanted.waiting:
                _settle_future(future, done=False)
            wanted.waiting.clear()
            wanted.until = self._clocks.monotonic() + LINGER

    def release(self, guard: Guard, cause: Cause) -> None:
        """Let the claim, or the wish, go. No poll of it is open."""
        self._releases[guard.bot_id] = (guard, cause)
        self._touch(guard.bot_id)

    def note_episode(self, bot_id: BotId, episode: Episode | None) -> None:
        """Keep an episode with the claim."""
        if bot_id in self.held:
            self._episodes[bot_id] = episode
            self._touch(bot_id)

    def changed(self, session: SessionId | None) -> None:
        """The store says that something happened to a session, or to anything (None)."""
        if session is None or session == self.session.id:
            self._touch(*self.wanted, *self.held)
        else:
            self._ended.add(session)
            self._touch(*(b for b, w in self.wanted.items() if w.holder == session))

    def suspect(self, bot_id: BotId) -> None:
        """Look at this claim again."""
        self._touch(bot_id)

    def expire_wishes(self) -> None:
        """Withdraw the wishes that no call has waited for since a while."""
        now = self._clocks.monotonic()
        self._touch(*(b for b, w in self.wanted.items() if not w.waiting and now >= w.until))

    def _touch(self, *bots: BotId) -> None:
        self._dirty.update(bots)
        if bots:
            self._work.set()

    # The loop

    async def wait_for_work(self) -> None:
        """Return when there is something to settle."""
        while not self._dirty and not self._due_bots():
            self._work.clear()
            wait = max(0.0, min(self._due.values()) - self._clocks.monotonic()) if self._due else None
            try:
                async with asyncio.timeout(wait):
                    await self._work.wait()
            except TimeoutError:
                continue

    def _due_bots(self) -> set[BotId]:
        now = self._clocks.monotonic()
        return {b for b, at in self._due.items() if at <= now}

    async def settle_due(self) -> None:
        """Settle what there is to settle. Raises SessionOver, StoreUnavailable; nothing is forgotten then."""
        due = self._due_bots()
        for bot_id in due:
            del self._due[bot_id]
        bots, self._dirty = self._dirty | due, set()
        try:
            await self.settle(bots)
        except BaseException:
            self._touch(*bots)
            raise

    async def settle(self, bots: Iterable[BotId]) -> None:
        """Read these bots, decide, write."""
        async with self._settling:
            try:
                await self._settle(set(bots))
            finally:
                # Last, and together: each wakes a caller, who competes with us for the interpreter.
                answers, self._answers = self._answers, []
                for future in answers:
                    _settle_future(future, done=True)

    async def _settle(self, bots: set[BotId]) -> None:
        bots -= await self._take_at_once(bots)
        if not bots:
            return
        snapshot = await self._store.read(bots)
        plan = _Plan()
        for bot_id in bots:
            self._plan(bot_id, snapshot, plan)
        if plan.swaps or plan.wishes or plan.withdrawn:
            await self._write(plan)

    async def _write(self, plan: _Plan) -> set[BotId]:
        """Write a plan; what was refused is looked at again. Gives the bots whose claim was written."""
        batch = Batch(
            swaps=plan.swaps, wishes=plan.wishes, withdrawn=plan.withdrawn, wake=plan.wake - {self.session.id}
        )
        swapped = await self._store.swap(self.session, batch)
        for wish in plan.wishes:
            if wish.bot_id in self.wanted:
                self.wanted[wish.bot_id].is_recorded = True
        for swap in plan.swaps:
            written = swapped.written.get(swap.claim.bot_id)
            if written is None:
                self._touch(swap.claim.bot_id)
            else:
                self._written(written, plan)
        return set(swapped.written)

    async def _take_at_once(self, bots: set[BotId]) -> set[BotId]:
        """Take what we were next in line for, from holders that seem to have ended, without a look before.

        The swap itself verifies that the claim is as it was and that its holder is over.
        """
        ended, self._ended = self._ended, set()
        plan = _Plan()
        for bot_id in bots if ended else ():
            wanted = self.wanted.get(bot_id)
            if wanted is None or not wanted.waiting or wanted.next_after is None:
                continue
            claim, holder = wanted.next_after
            if claim.holder in ended and bot_id not in self._releases:
                wanted.claimable_since = wanted.claimable_since or self._clocks.monotonic()
                self._take(claim, holder, plan)
        return await self._write(plan) if plan.swaps else set()

    # Planning

    def _plan(self, bot_id: BotId, snapshot: Snapshot, plan: _Plan) -> None:
        claim = snapshot.claims[bot_id]
        if bot_id in self._draining:
            if claim.holder != self.session.id and bot_id in self.held:
                self._claim_lost(bot_id, claim, snapshot)
            return
        if bot_id in self._releases:
            self._plan_release(bot_id, claim, snapshot, plan)
            return
        if claim.holder == self.session.id:
            self._plan_held(bot_id, claim, snapshot, plan)
            return
        if bot_id in self.held:
            self._claim_lost(bot_id, claim, snapshot)
        wanted = self.wanted.get(bot_id)
        if wanted is None:
            return
        now = self._clocks.monotonic()
        if not wanted.waiting and now >= wanted.until:
            self._forget(bot_id, plan)
            return
        released = self._released.get(bot_id)
        if released is not None and now < released + QUEUE_STEP:
            # We have just let it go: our own wish must not keep its heir from the store.
            self._due[bot_id] = released + QUEUE_STEP
            return
        self._plan_wanted(wanted, claim, snapshot, plan)

    def _plan_held(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: _Plan) -> None:
        """It is ours: go on, note an episode, or start the handover that somebody asked for."""
        known = self.held.get(bot_id)
        wanted = self.wanted.get(bot_id)
        guard = self._guards.get(bot_id) or (wanted.guard if wanted else None)
        if guard is None:
            return
        if known is None or known.term != claim.term or guard.grant is None:
            # The store was made anew and names us, or the answer to our write was lost.
            self._granted(guard, claim, Cause.SESSION, None)
            return
        self.held[bot_id] = claim
        if wanted is not None:
            del self.wanted[bot_id]
            for future in wanted.waiting:
                _settle_future(future, done=True)
        others = _others(snapshot, bot_id, self.session.id)
        asked = successor_asked_for(claim, others)
        if asked is not None and line(claim, others):
            heir = None if asked.mode is WishMode.HANDOVER else asked.session
            self._spawn(self.hand_over({bot_id: heir}, cause=Cause.HANDED_OVER))
        elif bot_id in self._episodes:
            plan.swaps.append(Swap(claim=replace(claim, episode=self._episodes[bot_id])))

    def _plan_release(self, bot_id: BotId, claim: Claim, snapshot: Snapshot, plan: _Plan) -> None:
        if claim.holder != self.session.id:
            del self._releases[bot_id]
            self._let_go(bot_id)
            wanted = self.wanted.get(bot_id)
            if wanted is not None and wanted.waiting:
                self._touch(bot_id)
            else:
                self._forget(bot_id, plan)
            return
        guard, _ = self._releases[bot_id]
        directed = replace(claim, heir=self._heirs.get(bot_id))
        heirs = line(directed, _others(snapshot, bot_id, self.session.id))
        self._add_release(guard, claim, heirs[0] if heirs else None, snapshot, plan)

    def _add_release(
        self, guard: Guard, claim: Claim, heir: SessionId | None, snapshot: Snapshot, plan: _Plan
    ) -> None:
        offset = guard.offset_to_hand_over() or claim.offset
        free = replace(claim, holder=None, heir=heir, clean=True, offset=offset)
        if guard.bot_id in self._episodes:
            free = replace(free, episode=self._episodes[guard.bot_id])
        plan.swaps.append(Swap(claim=free))
        plan.releasing[guard.bot_id] = _identity(snapshot, heir)
        if heir is not None:
            plan.wake.add(heir)

    def _plan_wanted(self, wanted: _Wanted, claim: Claim, snapshot: Snapshot, plan: _Plan) -> None:
        bot_id = claim.bot_id
        own = self.session.id
        if bot_id not in self._aims:
            self._aims[bot_id] = None if is_claimable(claim, snapshot.sessions) else claim.term
        wished = snapshot.wishes.get(bot_id, ())
        wanted.next_after = None
        now = self._clocks.monotonic()
        if (
            wanted.waiting
            and all(w.session == own or not _is_alive(snapshot, w.session) for w in wished)
            and is_claimable(claim, snapshot.sessions)
        ):
            # Nobody else is in the line: the one case of which there are thousands at once.
            wanted.claimable_since = wanted.claimable_since or now
            self._take(claim, _identity(snapshot, claim.holder), plan)
            return
        others = _others(snapshot, bot_id, own)
        mine = next((w for w in wished if w.session == own), None)
        last = max((w.since for w in others), default=0) + 1
        provisional = Wish(bot_id=bot_id, session=own, since=last, priority=self._settings.priority)
        wishes = [*others, mine or provisional]
        named = next_holder(claim, wishes, snapshot.sessions)
        if named is None:
            wanted.claimable_since = None
            wanted.holder = claim.holder
            if line(claim, wishes)[0] == own:
                wanted.next_after = (claim, _identity(snapshot, claim.holder))
            self._ask(wanted, claim, snapshot, plan, is_recorded=mine is not None)
            self._deny(wanted, claim, snapshot)
            return
        if wanted.claimable_since is None:
            wanted.claimable_since = now
        allowed_at = wanted.claimable_since + line(claim, wishes).index(own) * QUEUE_STEP
        if wanted.waiting and now >= allowed_at:
            self._take(claim, _identity(snapshot, claim.holder), plan)
            return
        if wanted.waiting:
            self._due[bot_id] = allowed_at
        if mine is None:
            plan.wishes.append(provisional)

    def _take(
        self, claim: Claim, came_from: Identity | None, plan: _Plan, cause: Cause | None = None
    ) -> None:
        """Plan to take it: the next term is ours."""
        holder = claim.holder
        if cause is None:
            handed = claim.heir == self.session.id
            cause = Cause.DIED if holder else Cause.HANDED_OVER if handed else Cause.FREE
        is_clean = holder is None and claim.clean
        taken = Claim(  # spelled out: `replace` costs 80 ms for 10,000
            bot_id=claim.bot_id,
            version=claim.version,
            holder=self.session.id,
            heir=None,
            term=Term(claim.term + 1),
            since=self._clocks.wall(),
            clean=is_clean,
            offset=claim.offset if is_clean else None,
            episode=claim.episode,
        )
        requires_over = holder if cause is Cause.DIED else None
        plan.swaps.append(Swap(claim=taken, requires_over=requires_over))
        plan.taking[claim.bot_id] = (cause, came_from)
        if self.wanted[claim.bot_id].is_recorded:
            plan.withdrawn.append(claim.bot_id)

    def _deny(self, wanted: _Wanted, claim: Claim, snapshot: Snapshot) -> None:
        """Tell the guard, which may end the process; not yet where our request to take over stands."""
        if not self._settings.standby:
            again = self._clocks.monotonic() + LOOK_AGAIN
            self._due[claim.bot_id] = min(self._due.get(claim.bot_id, again), again)
            if self._comes_next(claim, snapshot):
                return
        identity = _identity(snapshot, claim.holder)
        wanted.guard.denied(identity, claim.since)
        if not wanted.is_denied:
            wanted.is_denied = True
            self._tell(claim, ClaimEvent.DENIED, Cause.FREE, identity)

    def _comes_next(self, claim: Claim, snapshot: Snapshot) -> bool:
        """Whether we ask the holder of this term, and nobody did so before us."""
        if self._settings.start is StartMode.STANDBY or self._aims[claim.bot_id] != claim.term:
            return False
        asked = successor_asked_for(claim, snapshot.wishes.get(claim.bot_id, ()))
        return asked is None or asked.session == self.session.id

    def _ask(
        self, wanted: _Wanted, claim: Claim, snapshot: Snapshot, plan: _Plan, *, is_recorded: bool
    ) -> None:
        """Record the wish; with `takeover` and `replace` it asks the holder of the term that we saw first."""
        mode = self._settings.start
        aim = self._aims[claim.bot_id]
        is_asking = aim == claim.term and mode is not StartMode.STANDBY
        if is_asking and wanted.asked_at is None:
            wanted.asked_at = self._clocks.monotonic()
        if not is_recorded:
            plan.wishes.append(
                Wish(
                    bot_id=claim.bot_id,
                    session=self.session.id,
                    priority=self._settings.priority,
                    mode=WishMode(mode) if is_asking else WishMode.STANDBY,
                    aim=aim if is_asking else None,
                )
            )
            if is_asking and claim.holder:
                plan.wake.add(claim.holder)
        wanted.is_recorded = wanted.is_recorded or is_recorded
        if is_asking and mode is StartMode.REPLACE:
            self._press(wanted, claim, snapshot, plan)

    def _press(self, wanted: _Wanted, claim: Claim, snapshot: Snapshot, plan: _Plan) -> None:
        """`replace`: after its time, end the holder (where asked), then fence it out by the next term."""
        asked = successor_asked_for(claim, snapshot.wishes.get(claim.bot_id, ()))
        if asked is not None and asked.session != self.session.id:
            return
        now = self._clocks.monotonic()
        waited = now - (wanted.asked_at or now)
        record = snapshot.sessions.get(claim.holder) if claim.holder else None
        kill_after = self._settings.kill_after
        if kill_after is not None and waited >= kill_after and record is not None and not wanted.is_killing:
            wanted.is_killing = True
            self._spawn(self._kill(record.identity))
        if waited >= self._settings.replace_after:
            self._take(claim, _identity(snapshot, claim.holder), plan, cause=Cause.FENCED)
            if claim.holder:
                plan.wake.add(claim.holder)
            return
        waits = [self._settings.replace_after]
        if kill_after is not None and not wanted.is_killing:
            waits.append(kill_after)
        self._due[claim.bot_id] = now + min(w - waited for w in waits)

    # What was written

    def _written(self, claim: Claim, plan: _Plan) -> None:
        bot_id = claim.bot_id
        if claim.holder == self.session.id:
            if bot_id in plan.taking:
                cause, came_from = plan.taking[bot_id]
                self._granted(self.wanted[bot_id].guard, claim, cause, came_from)
            else:
                self.held[bot_id] = claim
                self._episodes.pop(bot_id, None)
            return
        guard, cause = self._releases.pop(bot_id)
        self._released[bot_id] = self._clocks.monotonic()
        self._let_go(bot_id)
        event = ClaimEvent.HANDED_OVER if cause is Cause.HANDED_OVER else ClaimEvent.RELEASED
        self._tell(claim, event, cause, plan.releasing.get(bot_id))
        if guard.grant is not None:
            guard.lost(cause, to=plan.releasing.get(bot_id), since=self._clocks.wall())
        if bot_id in self.wanted:
            self._touch(bot_id)

    def _granted(self, guard: Guard, claim: Claim, cause: Cause, came_from: Identity | None) -> None:
        bot_id = claim.bot_id
        wanted = self.wanted.pop(bot_id, None)
        self.held[bot_id] = claim
        self._guards[bot_id] = guard
        self.is_reported = False
        self._released.pop(bot_id, None)
        decided_at = self._clocks.monotonic()
        if wanted is not None and wanted.claimable_since is not None:
            decided_at = wanted.claimable_since
        grant = Grant(session=self.session, term=claim.term, decided_at=decided_at, cause=cause)
        guard.granted(grant, claim, came_from=came_from)
        event = ClaimEvent.ACQUIRED if cause is Cause.FREE else ClaimEvent.TAKEN_OVER
        self._tell(claim, event, cause, came_from)
        if wanted is not None:
            self._answers += wanted.waiting

    def _claim_lost(self, bot_id: BotId, claim: Claim, snapshot: Snapshot) -> None:
        guard = self._guards.get(bot_id)
        self._let_go(bot_id)
        taker = _identity(snapshot, claim.holder)
        self._tell(claim, ClaimEvent.LOST, Cause.FENCED, taker)
        if guard is not None:
            guard.lost(Cause.FENCED, to=taker, since=claim.since)

    def _let_go(self, bot_id: BotId) -> None:
        self.held.pop(bot_id, None)
        self._guards.pop(bot_id, None)
        self._episodes.pop(bot_id, None)

    def _forget(self, bot_id: BotId, plan: _Plan) -> None:
        wanted = self.wanted.pop(bot_id, None)
        self._due.pop(bot_id, None)
        if wanted is not None:
            plan.withdrawn.append(bot_id)
            for future in wanted.waiting:
                _settle_future(future, done=False)

    def lose_everything(self) -> None:
        """The session is over: every claim is lost; who waits, waits on with the next session."""
        for bot_id in list(self.held):
            guard = self._guards[bot_id]
            self._tell(self.held[bot_id], ClaimEvent.EXPIRED, Cause.SESSION, None)
            guard.lost(Cause.SESSION)
        self.held.clear()

    def inherit(self, before: Negotiation) -> None:
        """Take over the calls that wait, from the negotiation of the session before."""
        for bot_id, wanted in before.wanted.items():
            if wanted.waiting:
                self.wanted[bot_id] = _Wanted(guard=wanted.guard, waiting=wanted.waiting)
                self._touch(bot_id)

    # Handing over

    async def hand_over(self, heirs: dict[BotId, SessionId | None], *, cause: Cause) -> None:
        """End our polls and give these claims to their heirs, in one transaction."""
        heirs = {b: heir for b, heir in heirs.items() if b in self.held and b not in self._draining}
        if not heirs:
            return
        self._draining.update(heirs)
        try:
            drained = {b: self._guards[b].begin_drain() for b in heirs}
            await self._await_drained(drained)
            for bot_id in heirs:
                guard = self._guards.get(bot_id)
                if guard is not None and bot_id in self.held:
                    self._releases[bot_id] = (guard, cause)
            self._heirs.update(heirs)
        finally:
            self._draining.difference_update(heirs)
        await self.settle(heirs)
        for bot_id in heirs:
            self._heirs.pop(bot_id, None)
            guard = self._guards.get(bot_id)
            if guard is not None and bot_id in self.held:
                guard.end_drain()
        self._touch(*heirs)

    async def _await_drained(self, drained: dict[BotId, Future[None]]) -> None:
        waiters = [asyncio.ensure_future(asyncio.wrap_future(f)) for f in drained.values()]
        await asyncio.wait(waiters, timeout=self._settings.drain_timeout)
        late = [
            w for (b, f), w in zip(drained.items(), waiters, strict=True) if not f.done() and self._flies(b)
        ]
        if late:
            # A poll that cannot be ended is allowed to end; nobody may follow before it has.
            await asyncio.wait(late, timeout=OVERTIME + self._settings.drain_timeout)
        for waiter in waiters:
            waiter.cancel()

    def _flies(self, bot_id: BotId) -> bool:
        guard = self._guards.get(bot_id)
        return guard is not None and guard.is_polling

    async def pass_on(self, bot_id: BotId) -> None:
        """Give a claim to a peer that waits, because our own calls only fail."""
        snapshot = await self._store.read({bot_id})
        heirs = line(snapshot.claims[bot_id], _others(snapshot, bot_id, self.session.id))
        if heirs:
            await self.hand_over({bot_id: heirs[0]}, cause=Cause.FAILING)

    async def release_all(self) -> None:
        """On the way out: let go of everything, in one transaction."""
        for bot_id in list(self.held):
            self._releases[bot_id] = (self._guards[bot_id], Cause.STOPPED)
        await self.settle(list(self._releases))

    async def is_awaited(self, bot_id: BotId) -> bool:
        """Whether another session waits for this claim."""
        snapshot = await self._store.read({bot_id})
        return bool(line(snapshot.claims[bot_id], _others(snapshot, bot_id, self.session.id)))

    def _tell(self, claim: Claim, event: ClaimEvent, cause: Cause, other: Identity | None) -> None:
        self._emit(
            events.ClaimChanged(bot_id=claim.bot_id, event=event, term=claim.term, cause=cause, other=other)
        )


def _others(snapshot: Snapshot, bot_id: BotId, own: SessionId) -> list[Wish]:
    """The wishes of other sessions that live: one that is silent waits for nothing any more."""
    wishes = snapshot.wishes.get(bot_id, ())
    return [w for w in wishes if w.session != own and _is_alive(snapshot, w.session)]


def _identity(snapshot: Snapshot, session: SessionId | None) -> Identity | None:
    record = snapshot.sessions.get(session) if session is not None else None
    return record.identity if record else None


def _is_alive(snapshot: Snapshot, session: SessionId) -> bool:
    record = snapshot.sessions.get(session)
    return record is not None and record.liveness is Liveness.ALIVE


def _settle_future(future: Future[bool], *, done: bool) -> None:
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_result(done)
