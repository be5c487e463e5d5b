"""A driver of the guard's steps whose poll is the life of a child process.

The claim is wanted as by any caller. Where a framework's driver sends a poll, this one starts the child. What
ends an open poll (a handover, the loss of the claim) ends the child, and the poll is over when nothing of
the child is left: only then does a handover go on and the claim change hands. When the child ends by itself,
that is a caller that stops: the claim is let go at once, for a peer may be better off than we are.

After a loss that nobody asked for (database replaced, machine asleep) somebody else may start while our child
has its grace. A frozen process can end nothing: its child polls on until it thaws.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from onepoller.coordination import call
from onepoller.coordination.guard import Guard
from onepoller.coordination.presence import caller_of
from onepoller.coordination.wire import (
    Await,
    Delivered,
    Ended,
    Manners,
    OnCancel,
    Refused,
    Request,
    SendPoll,
)

WAIT = 30.0
"""How long one call waits for the claim before the next one does; a life has no limit."""
CONFIRM_LIMIT = 1.0
"""A session whose deadline has passed has so long to prove that it lives, seconds."""


class Life(Protocol):
    """One life of a child."""

    @property
    def ended(self) -> asyncio.Future[int]:
        """The exit code, once it has ended."""
        ...

    def end(self) -> Awaitable[None]:
        """End whatever is left of it; done when nothing is. Safe to call again, and after its own end."""
        ...


async def hold(guard: Guard, start: Callable[[], Life]) -> int:
    """Live while the claim is ours, wait while it is not; the exit code of the life that ended by itself.

    Cancelled: the child is ended, the claim released. Raises OSError where no child could be started.
    """
    while True:
        tenure = _Tenure(guard, start)
        try:
            await tenure.serve()
        except asyncio.CancelledError:
            if tenure.code is None:
                raise
            return tenure.code


class _Tenure:
    """One call of the guard, and the flight that the guard may end."""

    minds_deadline = True

    def __init__(self, guard: Guard, start: Callable[[], Life]) -> None:
        self.started = 0.0
        self.timeout = float("inf")
        self.code: int | None = None
        self._guard = guard
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[None] = self._loop.create_future()

    async def serve(self) -> None:
        """Perform the steps of one call. Ends by a cancellation where the child has ended by itself."""
        steps = call.steps(self._guard, Request(timeout=WAIT), _Wire(), caller_of(asyncio.current_task()))
        try:
            step = next(steps)
            while True:
                try:
                    value = await self._perform(step)
                except BaseException as error:  # noqa: BLE001  # the steps decide what it means
                    step = steps.throw(error)
                else:
                    step = steps.send(value)
        except StopIteration:
            return

    async def _perform(self, step: Any) -> Any:
        match step:
            case SendPoll():
                return await self._live()
            case Await(future=future, seconds=seconds):
                return await self._guard.claims.crossing.result(future, seconds)
            case _:
                return None

    async def _live(self) -> Ended:
        """One life. An interrupted poll where the claim went, a cancelled one where the child did."""
        guard = self._guard
        self.started = self._loop.time()
        self._stop = self._loop.create_future()
        guard.flight = self
        try:
            if guard.is_leaving:  # whoever took the claim could not see us yet
                return Ended.INTERRUPTED
            life = self._start()
            try:
                has_ended = await self._outlives_claim(life)
            finally:
                await through_cancel(life.end())
            if has_ended:
                self.code = life.ended.result()
                raise asyncio.CancelledError
            await self._settled()
            return Ended.INTERRUPTED
        finally:
            guard.flight = None

    async def _outlives_claim(self, life: Life) -> bool:
        """Wait for the child's end (true), or for the loss of the claim (false)."""
        while True:
            left = max(self._seconds_left(), CONFIRM_LIMIT if self._guard.holds_on else 0.0)
            await asyncio.wait((life.ended, self._stop), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if life.ended.done() or self._stop.done():
                return life.ended.done()
            is_late = self._seconds_left() <= 0 and not self._guard.holds_on
            if is_late and not await self._is_confirmed() and not self._guard.holds_on:
                return False

    def _seconds_left(self) -> float:
        """Until the session's deadline, which each heartbeat puts off."""
        grant = self._guard.grant
        return max(0.0, grant.session.deadline - self._guard.clocks.boot()) if grant is not None else 0.0

    async def _is_confirmed(self) -> bool:
        claims = self._guard.claims
        return bool(await claims.crossing.result(claims.confirm(), CONFIRM_LIMIT))

    async def _settled(self) -> None:
        """The child was ended: wait until the claim is known to be lost, or to be ours after all."""
        while not self._stop.done() and not await self._is_confirmed():
            await asyncio.wait((self._stop,), timeout=CONFIRM_LIMIT)

    def interrupt(self, how: Ended) -> None:
        """End it, from any thread: the guard's seam."""
        del how
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the child was ended before that
            self._loop.call_soon_threadsafe(self._interrupted)

    def _interrupted(self) -> None:
        if not self._stop.done():
            self._stop.set_result(None)


async def through_cancel(ending: Awaitable[None]) -> None:
    """Wait for an end, through a cancellation of ours; it is passed on afterwards."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


class _Wire:
    """What a guard wants to know of its caller; nothing is sent through it."""

    api_root = ""
    manners = Manners(on_cancel=OnCancel.STOPPING, can_look=False)

    async def poll(self, request: Request) -> Delivered | Refused:
        """The child polls, not we."""
        raise NotImplementedError

    async def ask(self, method: str) -> dict[str, Any]:
        """As above."""
        raise NotImplementedError
