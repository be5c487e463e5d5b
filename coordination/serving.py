"""One process's sessions, one after the other, and the loops that keep each of them, on the runner's loop.

Four loops run side by side: *beat* (three times a lease), *watch* (what the store tells us), *settle* (take,
wish, release) and *sweep* (once a second: silent frameworks, overdue calls, wishes that nobody waits for; and
just before the session's deadline, which each heartbeat puts off: open polls are ended then). When the
session is over all claims are lost at once, a new session is opened and the calls that wait go on waiting
with it. When the store is away, it is tried again; holders go on until their deadline (`outage`).
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from onepoller.coordination import events
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.errors import OnepollerError, SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.events import Cause, Certainty
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, Term
from onepoller.coordination.negotiation import Negotiation
from onepoller.coordination.outage import Outage
from onepoller.coordination.report import Clients
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.seam import Session, Store

_T = TypeVar("_T")
_log = logging.getLogger("onepoller")

SWEEP_EVERY = 1.0
SWEEP_AGAIN = 0.01
"""Not sooner than that, seconds: a moment that is nearly here may be too short for the clock."""
SWEEP_ALL = 5
"""Bots with an open call and no episode, which can only be overdue, are looked at in every fifth sweep."""
CROWD = 100
"""So many bots whose rivals or webhooks are watched are a crowd: 33 questions a second."""
RETRY = (0.05, 1.0)
"""A store that is away is tried again after this many seconds, doubling up to the second number."""
_TROUBLE = (StoreUnavailable, SetupError)
"""What an open store may say: it is told once, and tried again."""
TWICE = 0.45
"""Of the time until the deadline."""
REPORT_AFTER = 0.05
"""A claim that was taken is reported by a beat so soon, seconds: not in the way of the first poll."""


class Serving:
    """What keeps the sessions of one process, and its guards, going."""

    def __init__(
        self,
        *,
        store: Store,
        store_name: str,
        note: str,
        identity: Identity,
        settings: Settings,
        clocks: Clocks,
        emit: Callable[[events.Event], None],
        kill: Callable[[Identity], Awaitable[None]],
        guards: Mapping[BotId, Guard],
        opened: Callable[[Negotiation], None],
        stalled: Callable[[Guard], None],
    ) -> None:
        self._store = store
        self._store_name = store_name
        self._note = note
        self._identity = identity
        self._settings = settings
        self._clocks = clocks
        self._emit = emit
        self._kill = kill
        self._guards = guards
        """Those of the instance; callers add to them meanwhile."""
        self._opened = opened
        self._stalled = stalled
        self.crowd = 1.0
        """See `guard.Claims`: counted by the sweep."""
        self.outage = Outage(settings=settings, clocks=clocks, emit=emit)
        """Of the session that there is now."""
        self._aims: dict[BotId, Term | None] = {}
        """The term that held each bot when this process first wanted it: what `takeover` aims at."""
        self.clients: Callable[[], Clients] | None = None
        """Those of a proxy, for the report."""
        self._report = b""
        self._beat_now: asyncio.Event | None = None
        self._group: asyncio.TaskGroup | None = None
        self._trouble = ""
        self._put_off: list[Any] = []
        """What is to run beside the next session's loops."""
        self._is_over = False
        self._is_deaf = False
        """The watch has failed, and nothing was heard since."""

    async def run(self, before: Negotiation | None) -> None:
        """Open a session, keep it, serve, and again with the next; until cancelled."""
        self._beat_now = asyncio.Event()
        try:
            while True:
                before = await self._serve_one_session(before)
        finally:
            self._is_over = True
            self.outage.over()
            for work in self._put_off:
                work.close()

    async def _serve_one_session(self, before: Negotiation | None) -> Negotiation:
        session = await self.patiently(lambda: self._store.open(self._identity))
        self._emit(
            events.SessionOpened(
                session=session.id, store=self._store_name, lease=self._settings.lease, note=self._note
            )
        )
        negotiation = Negotiation(
            store=self._store,
            session=session,
            settings=self._settings,
            clocks=self._clocks,
            emit=self._emit,
            spawn=self.spawn,
            kill=self._kill,
            aims=self._aims,
        )
        self.outage = Outage(settings=self._settings, clocks=self._clocks, emit=self._emit)
        if before is not None:
            negotiation.inherit(before)
        self._opened(negotiation)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._beat(negotiation))
                self._group.create_task(self._watch(negotiation))
                self._group.create_task(self._settle(negotiation))
                self._group.create_task(self._sweep(negotiation))
                put_off, self._put_off = self._put_off, []
                for work in put_off:
                    self.spawn(work)
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
        return negotiation

    async def _give_up(self, negotiation: Negotiation) -> None:
        """Lose every claim, and make sure that the old session is over before there is a new one."""
        self._group = None
        negotiation.holding.lose_everything(Cause.SESSION)
        self.outage.over()
        try:
            await self._store.close(negotiation.session)
        except OnepollerError:
            # It could not be told; its lock is dropped all the same.
            return

    # The loops

    async def _beat(self, negotiation: Negotiation) -> None:
        assert self._beat_now is not None
        session = negotiation.session
        while True:
            self._beat_now.clear()  # before the report is made: what comes during the beat wants another one
            started = self._clocks.monotonic()
            try:
                own = [] if self.clients is None else [self.clients().row()]
                self._report = b"".join(own + [guard.report() for guard in list(self._guards.values())])
                is_late = self._left(session) <= 0
                await self._store.beat(session, report=self._report, confirm=is_late)
                left = self._left(session)
                ended = events.BeatEnded(
                    seconds=self._clocks.monotonic() - started, margin=left / self._settings.lease
                )
                self._emit(ended)
                self._answered(negotiation)
                # A server's lease may be shorter than ours: two beats fit in before the deadline there, too.
                pause = min(self._settings.beat_every, TWICE * left) if left > 0 else RETRY[0]
            except _TROUBLE as error:
                self._emit(
                    events.BeatEnded(
                        seconds=self._clocks.monotonic() - started, error=type(error).__name__, margin=0.0
                    )
                )
                self._tell_trouble(str(error))
                self._failed(negotiation)
                pause = min(1.0, self._settings.beat_every)
            try:
                async with asyncio.timeout(pause):
                    await self._beat_now.wait()
            except TimeoutError:
                continue

    async def _watch(self, negotiation: Negotiation) -> None:
        while True:
            try:
                async for change in self._store.watch(negotiation.session):
                    self._is_deaf = False
                    await negotiation.changed(change.session)
                    self._report_soon(negotiation)
            except _TROUBLE as error:
                self._tell_trouble(str(error))
            self._is_deaf = True
            await asyncio.sleep(RETRY[1])

    async def _settle(self, negotiation: Negotiation) -> None:
        while True:
            await negotiation.agenda.wait()
            await negotiation.gather()
            await self.patiently(negotiation.settle_due)
            self._report_soon(negotiation)

    def _report_soon(self, negotiation: Negotiation) -> None:
        if self._beat_now is not None and not negotiation.holding.is_reported:
            negotiation.holding.is_reported = True
            asyncio.get_running_loop().call_later(REPORT_AFTER, self._beat_now.set)

    async def _sweep(self, negotiation: Negotiation) -> None:
        for number in itertools.count():
            await asyncio.sleep(self._to_next_sweep(negotiation.session))
            now = self._clocks.monotonic()
            guards = list(self._guards.values())
            is_due = self._expire(negotiation)
            if number % SWEEP_ALL and not is_due:
                guards = [guard for guard in guards if guard.is_worth_a_look]
            for guard in guards:
                if guard.sweep(now):
                    self._stalled(guard)
            self.crowd = max(1.0, sum(guard.looks_from_outside for guard in guards) / CROWD)
            negotiation.expire_wishes()

    def _to_next_sweep(self, session: Session) -> float:
        """Seconds. Polls end when the deadline is near, and again soon after: one was just being sent."""
        ahead = self._settings.end_ahead
        left = self._left(session) - ahead
        if left > 0:
            return min(SWEEP_EVERY, max(left, SWEEP_AGAIN))
        return ahead / 2 if left > -ahead else SWEEP_EVERY

    def _left(self, session: Session) -> float:
        """Seconds to the session's deadline."""
        return session.deadline - self._clocks.boot()

    def _failed(self, negotiation: Negotiation) -> None:
        """A heartbeat was not answered: what we hold is uncertain."""
        self.outage.failed(claims=len(negotiation.holding.claims), left=self._left(negotiation.session))
        self._expire(negotiation)

    def _expire(self, negotiation: Negotiation) -> bool:
        """Whether the session's deadline is here; then what is uncertain is lost."""
        is_due = self._left(negotiation.session) <= self._settings.end_ahead
        if is_due and self.outage.expired():
            negotiation.stand_by()
        return is_due

    def _answered(self, negotiation: Negotiation) -> None:
        """The session lives: what it holds is sure, and what it stood by for is looked at again."""
        if self.outage.certainty is not Certainty.HELD:
            self._tell_trouble("")  # where nothing else is asked of the store, nothing else tells
        if self.outage.answered():
            negotiation.go_on()
        if self._is_deaf:
            negotiation.look()  # our deadline moves on, and nobody tells us who has fenced us out

    # What others run with us

    async def patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Call until the store answers; what is wrong is told once, and once that it is over."""
        pause = RETRY[0]
        while True:
            try:
                result = await call()
            except _TROUBLE as error:
                self._tell_trouble(str(error))
                await asyncio.sleep(pause * (0.5 + random.random()))
                pause = min(2 * pause, RETRY[1])
            else:
                self._tell_trouble("")
                if self.outage.certainty is not Certainty.HELD and self._beat_now is not None:
                    self._beat_now.set()  # it answers again
                return result

    async def is_confirmed(self, negotiation: Negotiation) -> bool:
        """Beat inside the store's order of writes; false, and a beat at once, where the session is over."""
        try:
            await self._store.beat(negotiation.session, report=self._report, confirm=True)
        except SessionOver:
            if self._beat_now is not None:
                self._beat_now.set()
            return False
        except _TROUBLE:
            self._failed(negotiation)
            raise
        self._answered(negotiation)
        return True

    def spawn(self, work: Any) -> None:
        """Run this beside the loops: with this session, or with the next where this one is ending."""
        careful = self._carefully(work)
        try:
            if self._group is not None:
                task = self._group.create_task(careful)
                task.add_done_callback(lambda _: self._keep_unbegun(work))
                return
        except RuntimeError:
            # This session's group is shutting down.
            pass
        careful.close()
        self._put_off_or_end(work)

    def _keep_unbegun(self, work: Any) -> None:
        """What was taken on just as its session ended is the next one's."""
        if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            self._put_off_or_end(work)

    def _put_off_or_end(self, work: Any) -> None:
        if self._is_over:
            work.close()
        else:
            self._put_off.append(work)

    async def _carefully(self, work: Awaitable[object]) -> None:
        try:
            await work
        except _TROUBLE as error:
            self._tell_trouble(str(error))

    def _tell_trouble(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._emit(events.StoreTrouble(text=text))
