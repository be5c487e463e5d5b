"""One process that guards bots: its guards, and what they and the program ask of it, from any thread.

This is the thread-safe face (`guard`, `want`, `let_go`, ...): it posts to the runner, where `serving` keeps
the session. What is asked before there is a session waits for the first one. Nothing is opened before the
first call: no thread, file, socket or lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Future
from typing import Any

from onepoller.coordination import driving, events
from onepoller.coordination.answer import Answer, Promised
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.collector import FLEET, Hold
from onepoller.coordination.crossing import Crossing
from onepoller.coordination.errors import SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.events import Cause, Certainty
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, SessionId
from onepoller.coordination.negotiation import Negotiation
from onepoller.coordination.plan import is_alive
from onepoller.coordination.report import Clients
from onepoller.coordination.runner import Runner
from onepoller.coordination.serving import Serving
from onepoller.coordination.settings import Settings
from onepoller.coordination.situation import Policy
from onepoller.coordination.stores.seam import Episode, Store
from onepoller.coordination.webhook import Deletions

CLOSE_LIMIT = 3.0
"""The way out may take so long, seconds."""
BURST = 1.0
"""The next thousand bots of a fleet that starts come within so many seconds."""


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
        self.identity = identity
        self.settings = settings
        self.guards: dict[BotId, Guard] = {}
        self.crossing = Crossing()
        self._deletions: dict[BotId, Deletions] = {}
        """They outlive the guards: polling may be stopped and started again."""
        self._confirming: Future[bool] | None = None
        self._store = store
        self._emit = emit
        self._end_process = end_process
        self._clocks = clocks or Clocks()
        self._policy = Policy.of(settings)
        self._deciding = threading.Lock()
        self._runner: Runner | None = None
        self._negotiation: Negotiation | None = None
        self._early: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._is_ending = False
        self._closing_from: asyncio.AbstractEventLoop | None = None
        self._many = 0
        """How many guards there were when the collector was held back last."""
        self._at_end = contextlib.ExitStack()
        self._is_over = False
        self._serving = Serving(
            store=store,
            store_name=store_name,
            note=note,
            identity=identity,
            settings=settings,
            clocks=self._clocks,
            emit=emit,
            kill=kill,
            guards=self.guards,
            opened=self._opened,
            stalled=lambda guard: self.let_go(guard, Cause.STALLED),
        )

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
                deletions=self._deletions.setdefault(bot_id, Deletions(self._clocks.monotonic)),
            )
            guard = self.guards.setdefault(bot_id, made)
            if guard is made:
                self._emit(events.BotSeen(bot_id=bot_id))
        return guard

    @property
    def crowd(self) -> float:
        """See `guard.Claims`."""
        return self._serving.crowd

    def counts(self, clients: Callable[[], Clients]) -> None:
        """Have `status` show how many clients a proxy has. `clients` is called in the runner's thread."""
        self._serving.clients = clients

    def retire(self, guard: Guard) -> None:
        """The user has stopped this bot: release and forget it."""
        self.let_go(guard, Cause.STOPPED)
        if self.guards.pop(guard.bot_id, None) is not None:
            self._emit(events.BotGone(bot_id=guard.bot_id))

    def want(self, guard: Guard) -> Promised[bool]:
        """See `guard.Claims`."""
        call: Answer[bool] = Answer()
        self._tell(Negotiation.want, guard, call)
        if len(self.guards) >= self._many + FLEET:
            self._many = len(self.guards)
            self._hold_collector_back()
        return call

    def _hold_collector_back(self) -> None:
        """A thousand bots more: a fleet is starting. Here, for the runner's turn may come a second later."""
        assert self._runner is not None
        hold = Hold(collect=True)
        self._at_end.callback(hold.end)
        self._runner.post(self._end_soon, hold)
        if self._is_over:
            hold.end()

    def _end_soon(self, hold: Hold) -> None:
        asyncio.get_running_loop().call_later(BURST, hold.end)

    def unwant(self, guard: Guard) -> None:
        """See `guard.Claims`."""
        self._tell(Negotiation.unwant, guard.bot_id)

    def let_go(self, guard: Guard, cause: Cause) -> None:
        """See `guard.Claims`. The guard stops at once, the store follows."""
        had = guard.grant is not None
        guard.lost(cause)
        if had or cause is Cause.STOPPED:
            self._tell(lambda n: n.releasing.release(guard, cause))

    @property
    def certainty(self) -> Certainty:
        """See `guard.Claims`."""
        return self._serving.outage.certainty

    @property
    def holds_on(self) -> bool:
        """See `guard.Claims`."""
        return self._serving.outage.holds_on

    def stand_by(self, guard: Guard) -> None:
        """See `guard.Claims`."""
        guard.lost(Cause.STORE)
        self._tell(lambda n: n.holding.expire(guard.bot_id, Cause.STORE))

    def is_awaited(self, bot_id: BotId) -> Future[bool]:
        """See `guard.Claims`."""
        return self._answer(lambda n: n.releasing.is_awaited(bot_id))

    def pass_on(self, guard: Guard) -> None:
        """See `guard.Claims`."""
        self._tell(lambda n: self._serving.spawn(n.releasing.pass_on(guard.bot_id)))

    def confirm(self) -> Future[bool]:
        """See `guard.Claims`. However many guards ask at once, the session is confirmed once."""
        confirming = self._confirming
        if confirming is None or confirming.done():
            confirming = self._confirming = self._answer(self._serving.is_confirmed)
        return confirming

    def suspect(self, bot_id: BotId) -> None:
        """See `guard.Claims`."""

        async def confirm(negotiation: Negotiation) -> None:
            if await self._serving.patiently(lambda: self._serving.is_confirmed(negotiation)):
                negotiation.believe(bot_id)

        def look(negotiation: Negotiation) -> None:
            negotiation.suspect(bot_id)
            self._serving.spawn(confirm(negotiation))

        self._tell(look)

    def note_episode(self, bot_id: BotId, episode: Episode | None) -> None:
        """See `guard.Claims`."""
        self._tell(lambda n: n.note_episode(bot_id, episode))

    def note_standing(self, bot_id: BotId) -> None:
        """See `guard.Claims`."""
        self._tell(lambda n: n.note_standing(bot_id))

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
            held = negotiation.holding.claims
            heirs: dict[BotId, SessionId | None] = {b: None for b in (bots or list(held)) if b in held}
            return await negotiation.releasing.hand_over(heirs, cause=Cause.HANDED_OVER)

        return self._answer(handed)

    def has_peer(self, bot_id: BotId) -> Future[bool]:
        """Whether another living session holds this bot, or waits for it."""

        async def looked(negotiation: Negotiation) -> bool:
            snapshot = await self._store.read({bot_id})
            holder = snapshot.claims[bot_id].holder
            own = negotiation.session.id
            is_held = holder != own and is_alive(snapshot, holder)
            return is_held or any(w.session != own for w in snapshot.wishes.get(bot_id, ()))

        return self._answer(looked, in_doubt=True)  # what a peer may need is not dropped

    def closing_from(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say in which loop the caller waits for our end: its polls cannot end before."""
        self._closing_from = loop

    # The runner's loop

    async def run(self) -> None:
        """Serve with one session after the other, until cancelled. Then release everything and close."""
        try:
            await self._serving.run(self._negotiation)
        finally:
            self._is_over = True
            self._at_end.close()
            await self._close()

    def _opened(self, negotiation: Negotiation) -> None:
        """From here on what is told goes to this session."""
        self._negotiation = negotiation
        early, self._early = self._early, []
        for callback, args in early:
            callback(negotiation, *args)

    async def _close(self) -> None:
        negotiation = self._negotiation
        if negotiation is None:
            return
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await negotiation.releasing.release_all(self._can_end_poll)
                await self._store.close(negotiation.session)
        except (TimeoutError, StoreUnavailable, SetupError, SessionOver):
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
            result = in_doubt
            try:
                with contextlib.suppress(StoreUnavailable, SetupError, SessionOver):
                    result = await ask(negotiation)
            finally:  # also where it ends with the session that it was put to
                if not future.done():
                    future.set_result(result)

        self._tell(lambda n: self._serving.spawn(answer(n)))
        return future
