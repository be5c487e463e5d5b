"""Drivers: they perform a guard's steps in the caller's event loop, or in the caller's thread.

The asynchronous driver runs each poll in a task of its own and never cancels it in its first 50 ms: a
connection that is cancelled while it is being set up loses its slot in httpcore's pool for good (a bot that
is deaf until its restart; found by experiment). The synchronous driver cannot end a call: it lets it end.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from onepoller.coordination import call
from onepoller.coordination.guard import Guard
from onepoller.coordination.presence import caller_of
from onepoller.coordination.wire import (
    Ask,
    Await,
    Delivered,
    Ended,
    Flight,
    Outcome,
    Refused,
    Request,
    SendPoll,
    SyncWire,
    Wire,
)

SETTLE = 0.05
"""A poll is not cancelled in its first 50 ms."""
CLOSING_LIMIT = 1.0
"""A cancelled poll has so long to close its connection, seconds."""


async def get_updates(guard: Guard, request: Request, wire: Wire, caller: Any = None) -> Outcome:
    """Serve one getUpdates of an async caller (default: the current task). Raises what the wire raises.

    `caller` stands for whoever polls where that is no task of this process; it has `done()`.
    """
    steps = call.steps(guard, request, wire, caller_of(caller or asyncio.current_task()))
    flight = _AsyncFlight(guard, wire)
    try:
        step = next(steps)
        while True:
            try:
                value = await (flight.send(step) if type(step) is SendPoll else _perform(step, wire, flight))
            except BaseException as error:  # noqa: BLE001  # the steps decide what it means
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome


async def _perform(step: Any, wire: Wire, flight: _AsyncFlight) -> Any:
    match step:
        case Await(future=future, seconds=seconds):
            return await flight.crossing.result(future, seconds)
        case Ask(method=method):
            try:
                return await wire.ask(method)
            except Exception:  # noqa: BLE001  # as the comment says
                # A watch that got no answer knows nothing new; the next one asks again.
                return None


class _AsyncFlight:
    """The poll on its way, in the caller's event loop."""

    minds_deadline = False

    def __init__(self, guard: Guard, wire: Wire) -> None:
        self.started = 0.0
        self.timeout = 0.0
        self.crossing = guard.claims.crossing
        self._guard = guard
        self._wire = wire
        self.loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[Ended | None] | None = None

    async def send(self, step: SendPoll) -> Delivered | Refused | Ended:
        """Send it; it ends by its answer, by `interrupt`, or to be renewed."""
        self.started = self.loop.time()
        self.timeout = step.request.timeout
        self._stop = stop = self.loop.create_future()
        task = self.loop.create_task(self._poll(step.request))
        timer = None
        if step.renew_after is not None:
            timer = self.loop.call_later(step.renew_after, self._stopped, Ended.RENEWED)
        if not step.is_final:
            self._guard.flight = self
            if self._guard.is_leaving:
                # The claim went between the last look and now; whoever took it could not see us yet.
                stop.set_result(Ended.INTERRUPTED)
        try:
            how: Ended | None = await stop
            if how is not None and await self._end(task):
                raise asyncio.CancelledError  # noqa: TRY301  # it is ours to pass on
            if how is None or (task.done() and not task.cancelled() and not task.exception()):
                outcome: Delivered | Refused = task.result()
                return outcome
            return how
        except asyncio.CancelledError:
            await self._end(task)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if not step.is_final:
                self._guard.flight = None

    async def _poll(self, request: Request) -> Delivered | Refused:
        """The poll's own task. It wakes us itself: a callback of the task would cost a turn of the loop."""
        try:
            return await self._wire.poll(request)
        finally:
            if self._stop is not None and not self._stop.done():
                self._stop.set_result(None)

    def interrupt(self, how: Ended) -> None:
        """End it, from any thread."""
        with contextlib.suppress(RuntimeError):  # the caller's loop is closed: the poll ended with it
            self.loop.call_soon_threadsafe(self._stopped, how)

    def _stopped(self, how: Ended) -> None:
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(how)

    async def _end(self, task: asyncio.Task[Any]) -> bool:
        """Cancel the poll once that is safe, and wait until its connection is closed.

        True: our caller was cancelled meanwhile; it must hear of it afterwards.
        """
        was_cancelled = False
        early = self.started + SETTLE - self.loop.time()
        if early > 0:
            was_cancelled = await _outlast(task, early)
        task.cancel()
        was_cancelled = await _outlast(task, CLOSING_LIMIT) or was_cancelled
        if task.done() and not task.cancelled():
            task.exception()  # looked at: an error on the way out is nobody's
        return was_cancelled


def can_end(flight: Flight | None, *, waiting: asyncio.AbstractEventLoop | None) -> bool:
    """Whether an interrupt would end this poll now, while one loop waits for us."""
    return isinstance(flight, _AsyncFlight) and flight.loop is not waiting and flight.loop.is_running()


async def _outlast(task: asyncio.Task[Any], seconds: float) -> bool:
    """Wait for a task, at most so long, through a cancellation of ours; true where there was one."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    was_cancelled = False
    while not task.done() and (left := end - loop.time()) > 0:
        try:
            await asyncio.wait((task,), timeout=left)
        except asyncio.CancelledError:
            was_cancelled = True
    return was_cancelled


def get_updates_sync(guard: Guard, request: Request, wire: SyncWire) -> Outcome:
    """Serve one getUpdates of a caller without an event loop. Raises what the wire raises."""
    steps = call.steps(guard, request, wire, caller_of(threading.current_thread()))
    try:
        step = next(steps)
        while True:
            try:
                value = _perform_sync(step, wire, guard)
            except BaseException as error:  # noqa: BLE001  # the steps decide what it means
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome


def _perform_sync(step: Any, wire: SyncWire, guard: Guard) -> Any:
    match step:
        case SendPoll():
            flight = _SyncFlight(step.request.timeout)
            if not step.is_final:
                guard.flight = flight
                if guard.is_leaving:
                    guard.flight = None
                    return Ended.INTERRUPTED
            try:
                return wire.poll(step.request)
            finally:
                if not step.is_final:
                    guard.flight = None
        case Await(future=future, seconds=seconds):
            try:
                return future.result(timeout=max(seconds, 0.0))
            except TimeoutError:
                return None
        case Ask(method=method):
            try:
                return wire.ask(method)
            except Exception:  # noqa: BLE001  # as the comment says
                # As above: no answer, nothing new.
                return None


class _SyncFlight:
    """A poll that nobody can end."""

    minds_deadline = False

    def __init__(self, timeout: float, now: Callable[[], float] = time.monotonic) -> None:
        self.started = now()
        self.timeout = timeout

    def interrupt(self, how: Ended) -> None:
        """Without effect: it is allowed to end."""
