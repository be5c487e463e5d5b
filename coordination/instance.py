"""One process that guards bots: its session, its heartbeats, its guards, its sweep.

The face (`guard`, `want`, `let_go`, ...) may be used from any thread; it posts to the runner. Everything
else runs on the runner's loop. Nothing is opened before the first call: no thread, file, socket or lock.

Four loops run side by side: *beat* (three times a lease), *watch* (what the store tells us), *settle* (take,
wish, release) and *sweep* (once a second: silent frameworks, overdue calls, wishes that nobody waits for).
When the session is over all claims are lost at once, a new session is opened and the calls that wait go on
waiting with it. When the store is away, it is tried again; holders go on until their deadline.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Future
from typing import Any, TypeVar

from onepoller.coordination import driving, events
from onepoller.coordination.answer import Answer, Promised
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.crossing import Crossing
from onepoller.coordination.errors import OnepollerError, SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.events import Cause
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.negotiation import Negotiation
from onepoller.coordination.runner import Runner
from onepoller.coordination.settings import Settings
from onepoller.coordination.situation import Policy
from onepoller.coordination.stores.seam import Episode, Session, Snapshot, Store

_T = TypeVar("_T")
_log = logging.getLogger("onepoller")

SWEEP_EVERY = 1.0
SWEEP_ALL = 5
"""Bots with an open call and no episode, which can only be overdue, are looked at in every fifth sweep."""
RETRY = (0.05, 1.0)
"""A store that is away is tried again after this many seconds, doubling up to the second number."""
REPORT_AFTER = 0.05
"""A claim that was taken is reported by a beat so soon, seconds: not in the way of the first poll."""
CLOSE_LIMIT = 3.0
"""The way out may take so long, seconds."""


class Instance:
    """One process that guards bots."""

    def __init__(
        self,
        *,
        store: Store,
        identity: Identity,
        settings: Settings,
        emit: Callable[[events.Event], None],
        end_process: Callable[[str], None],
        kill: Callable[[Identity], Awaitable[None]],
        clocks: Clocks | None = None,
        store_name: str = "",
        note: str = "",
    ) -> None:
        self._store_name = store_name
        self._note = note
        self.identity = identity
        self.settings = settings
        self.guards: dict[BotId, Guard] = {}
        self.crossing = Crossing()
        self._confirming: Future[bool] | None = None
        self._store = store
        self._emit = emit
        self._end_process = end_process
        self._kill = kill
        self._clocks = clocks or Clocks()
        self._policy = Policy.of(settings)
        self._deciding = threading.Lock()
        self._runner: Runner | None = None
        self._negotiation: Negotiation | None = None
        self._early: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._aims: dict[BotId, Term | None] = {}
        """The term that held each bot when this process first wanted it: what `takeover` aims at."""
        self._report = b""
        self._beat_now: asyncio.Event | None = None
        self._group: asyncio.TaskGroup | None = None
        self._trouble = ""
        self._is_ending = False
        self._closing_from: asyncio.AbstractEventLoop | None = None

    def run_on(self, runner: Runner) -> None:
        """Say where the coroutines run; before the first call."""
        self._runner = runner

    # The face: any thread

    def guard(self, bot_id: BotId) -> Guard:
        """The guard of a bot in this process; made at the first call. Opens nothing."""
        guard = self.guards.get(bot_id)
        if guard is None:
            made = Guard(
                bot_id,
                claims=self,
                settings=self.settings,
                emit=self._emit,
                clocks=self._clocks,
                policy=self._policy,
                lock=self._deciding,
            )
            guard = self.guards.setdefault(bot_id, made)
            if guard is made:
                self._emit(events.BotSeen(bot_id=bot_id))
        return guard

    def retire(self, guard: Guard) -> None:
        """The user has stopped this bot: release and forget it."""
        self.let_go(guard, Cause.STOPPED)
        if self.guards.pop(guard.bot_id, None) is not None:
            self._emit(events.BotGone(bot_id=guard.bot_id))

    def want(self, guard: Guard) -> Promised[bool]:
        """See `guard.Claims`."""
        call: Answer[bool] = Answer()
        self._tell(Negotiation.want, guard, call)
        return call

    def unwant(self, guard: Guard) -> None:
        """See `guard.Claims`."""
        self._tell(Negotiation.unwant, guard.bot_id)

    def let_go(self, guard: Guard, cause: Cause) -> None:
        """See `guard.Claims`. The guard stops at once, the store follows."""
        had = guard.grant is not None
        guard.lost(cause)
        if had or cause is Cause.STOPPED:
            self._tell(lambda n: n.release(guard, cause))

    def is_awaited(self, bot_id: BotId) -> Future[bool]:
        """See `guard.Claims`."""
        return self._answer(lambda n: n.is_awaited(bot_id))

    def pass_on(self, guard: Guard) -> None:
        """See `guard.Claims`."""
        self._tell(lambda n: self._spawn(n.pass_on(guard.bot_id)))

    def confirm(self) -> Future[bool]:
        """See `guard.Claims`. However many guards ask at once, the session is confirmed once."""
        confirming = self._confirming
        if confirming is None or confirming.done():
            confirming = self._confirming = self._answer(self._confirmed)
        return confirming

    def suspect(self, bot_id: BotId) -> None:
        """See `guard.Claims`."""

        async def confirm(negotiation: Negotiation) -> None:
            if await self._patiently(lambda: self._confirmed(negotiation)):
                negotiation.believe(bot_id)

        def look(negotiation: Negotiation) -> None:
            negotiation.suspect(bot_id)
            self._spawn(confirm(negotiation))

        self._tell(look)

    def note_episode(self, bot_id: BotId, episode: Episode | None) -> None:
        """See `guard.Claims`."""
        self._tell(lambda n: n.note_episode(bot_id, episode))

    def end_process(self, bot_id: BotId, reason: str) -> None:
        """See `guard.Claims`."""
        if self._is_ending:
            return
        self._is_ending = True
        self._emit(events.ProcessEnding(bot_id=bot_id, reason=reason))
        self._end_process(reason)

    def hand_over(self, bots: Collection[BotId] | None = None) -> Future[bool]:
        """Hand these bots, or all, to whoever waits for them; true if anything was handed over."""

        async def handed(negotiation: Negotiation) -> bool:
            heirs: dict[BotId, SessionId | None] = {
                b: None for b in (bots or list(negotiation.held)) if b in negotiation.held
            }
            await negotiation.hand_over(heirs, cause=Cause.HANDED_OVER)
            return bool(heirs)

        return self._answer(handed)

    def has_peer(self, bot_id: BotId) -> Future[bool]:
        """Whether another living session holds this bot, or waits for it."""

        async def looked(negotiation: Negotiation) -> bool:
            snapshot = await self._store.read({bot_id})
            holder = snapshot.claims[bot_id].holder
            own = negotiation.session.id
            return _is_living(snapshot, holder, own) or any(
                w.session != own for w in snapshot.wishes.get(bot_id, ())
            )

        return self._answer(looked, in_doubt=True)  # what a peer may need is not dropped

    def closing_from(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say in which loop the caller waits for our end: its polls cannot end before."""
        self._closing_from = loop

    # The runner's loop

    async def run(self) -> None:
        """Open a session, keep it, serve; until cancelled. Then release everything and close."""
        self._beat_now = asyncio.Event()
        try:
            while True:
                await self._serve_one_session()
        finally:
            await self._close()

    async def _serve_one_session(self) -> None:
        session = await self._patiently(lambda: self._store.open(self.identity))
        self._emit(
            events.SessionOpened(
                session=session.id, store=self._store_name, lease=self.settings.lease, note=self._note
            )
        )
        before = self._negotiation
        negotiation = Negotiation(
            store=self._store,
            session=session,
            settings=self.settings,
            clocks=self._clocks,
            emit=self._emit,
            spawn=self._spawn,
            kill=self._kill,
            aims=self._aims,
        )
        if before is not None:
            negotiation.inherit(before)
        self._negotiation = negotiation
        early, self._early = self._early, []
        for callback, args in early:
            callback(negotiation, *args)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._beat(session))
                self._group.create_task(self._watch(session))
                self._group.create_task(self._settle(negotiation))
                self._group.create_task(self._sweep(negotiation))
        except* SessionOver as over:
            self._emit(events.SessionLost(reason=str(over.exceptions[0])))
            await self._give_up(negotiation)
        except* Exception:  # noqa: BLE001  # as the comment says
            # A defect of ours, or of a store, must not leave bots deaf: begin again with a new session.
            _log.exception("onepoller: internal error; starting again with a new session")
            await self._give_up(negotiation)
            await asyncio.sleep(RETRY[1])
        finally:
            self._group = None

    async def _give_up(self, negotiation: Negotiation) -> None:
        """Lose every claim, and make sure that the old session is over before there is a new one."""
        self._group = None
        negotiation.lose_everything()
        try:
            await self._store.close(negotiation.session)
        except OnepollerError:
            # It could not be told; its lock is dropped all the same.
            return

    async def _beat(self, session: Session) -> None:
        assert self._beat_now is not None
        while True:
            started = self._clocks.monotonic()
            try:
                self._report = b"".join([guard.report() for guard in list(self.guards.values())])
                await self._store.beat(session, report=self._report)
                left = (session.deadline - self._clocks.boot()) / self.settings.lease
                self._emit(events.BeatEnded(seconds=self._clocks.monotonic() - started, margin=left))
                pause = self.settings.beat_every
            except StoreUnavailable as error:
                self._emit(
                    events.BeatEnded(
                        seconds=self._clocks.monotonic() - started, error=type(error).__name__, margin=0.0
                    )
                )
                self._tell_trouble(str(error))
                pause = min(1.0, self.settings.beat_every)
            self._beat_now.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._beat_now.wait()
            except TimeoutError:
                continue

    async def _watch(self, session: Session) -> None:
        while True:
            try:
                async for change in self._store.watch(session):
                    if self._negotiation is not None:
                        await self._negotiation.changed(change.session)
                        self._report_soon(self._negotiation)
            except StoreUnavailable as error:
                self._tell_trouble(str(error))
            await asyncio.sleep(RETRY[1])

    async def _settle(self, negotiation: Negotiation) -> None:
        while True:
            await negotiation.agenda.wait()
            await negotiation.gather()
            await self._patiently(negotiation.settle_due)
            self._report_soon(negotiation)

    def _report_soon(self, negotiation: Negotiation) -> None:
        if self._beat_now is not None and not negotiation.is_reported:
            negotiation.is_reported = True
            asyncio.get_running_loop().call_later(REPORT_AFTER, self._beat_now.set)

    async def _sweep(self, negotiation: Negotiation) -> None:
        for number in itertools.count():
            await asyncio.sleep(SWEEP_EVERY)
            now = self._clocks.monotonic()
            guards = list(self.guards.values())
            if number % SWEEP_ALL:
                guards = [guard for guard in guards if guard.is_worth_a_look]
            for guard in guards:
                if guard.sweep(now):
                    self.let_go(guard, Cause.STALLED)
            negotiation.expire_wishes()

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Call until the store answers; what is wrong is told once, and once that it is over."""
        pause = RETRY[0]
        while True:
            try:
                result = await call()
            except (StoreUnavailable, SetupError) as error:
                self._tell_trouble(str(error))
                await asyncio.sleep(pause * (0.5 + random.random()))
                pause = min(2 * pause, RETRY[1])
            else:
                self._tell_trouble("")
                return result

    async def _confirmed(self, negotiation: Negotiation) -> bool:
        try:
            await self._store.beat(negotiation.session, report=self._report, confirm=True)
        except SessionOver:
            if self._beat_now is not None:
                self._beat_now.set()
            return False
        return True

    async def _close(self) -> None:
        negotiation = self._negotiation
        if negotiation is None:
            return
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await negotiation.release_all(self._can_end_poll)
                await self._store.close(negotiation.session)
        except (TimeoutError, StoreUnavailable, SessionOver):
            # The process ends: whatever could not be said, the kernel or the lease says.
            return

    def _can_end_poll(self, guard: Guard) -> bool:
        return driving.can_end(guard.flight, waiting=self._closing_from)

    # Between the two

    def _tell(self, callback: Callable[..., None], *args: Any) -> None:
        """Have this called on the runner's loop, with the negotiation and these."""
        if self._runner is None:
            raise RuntimeError("the instance was not given a runner")
        self._runner.post(self._run_told, callback, args)

    def _run_told(self, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self._negotiation is None:
            self._early.append((callback, args))
        else:
            callback(self._negotiation, *args)

    def _answer(
        self, ask: Callable[[Negotiation], Awaitable[bool]], *, in_doubt: bool = False
    ) -> Future[bool]:
        future: Future[bool] = Future()

        async def answer(negotiation: Negotiation) -> None:
            try:
                result = await ask(negotiation)
            except (StoreUnavailable, SessionOver):
                result = in_doubt
            if not future.done():
                future.set_result(result)

        self._tell(lambda n: self._spawn(answer(n)))
        return future

    def _spawn(self, work: Any) -> None:
        careful = self._carefully(work)
        try:
            if self._group is not None:
                self._group.create_task(careful)
                return
        except RuntimeError:
            # This session's group is shutting down.
            pass
        careful.close()
        asyncio.get_running_loop().call_later(RETRY[0], self._spawn, work)

    async def _carefully(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StoreUnavailable as error:
            self._tell_trouble(str(error))

    def _tell_trouble(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._emit(events.StoreTrouble(text=text))


def _is_living(snapshot: Snapshot, session: Any, own: Any) -> bool:
    if session is None or session == own:
        return False
    record = snapshot.sessions.get(session)
    return record is not None and record.liveness == "alive"
