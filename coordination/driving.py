"""Drivers: they perform a guard's steps in the caller's event loop, or in the caller's thread.

The asynchronous driver sends a poll in the caller's own task: one of its own would be two more turns of the
loop for each. It ends a poll as `asyncio.timeout` does, by a cancel of that task which it takes back; never
in the poll's first 50 ms: a connection that is cancelled while it is being set up may lose its slot in
httpcore's pool for good (a bot that is deaf until its restart). What the caller cancels is cancelled at once,
as without us. The synchronous driver cannot end a call: it lets it end.
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
"""We do not cancel a poll in its first 50 ms."""
CLOSING_LIMIT = 1.0
"""A cancelled poll has so long to close its connection, seconds, before it is cancelled again."""


async def get_updates(guard: Guard, request: Request, wire: Wire, caller: Any = None) -> Outcome:
    """Serve one getUpdates of an async caller (default: the current task). Raises what the wire raises.

    `caller` stands for whoever polls where that is no task of this process; it has `done()`.
    """
    task = asyncio.current_task()
    assert task is not None
    steps = call.steps(guard, request, wire, caller_of(caller or task))
    try:
        step = next(steps)
        while True:
            try:
                if type(step) is SendPoll:
                    value: Any = await _send(step, guard, wire, task)
                else:
                    value = await _perform(step, guard, wire)
            except BaseException as error:  # noqa: BLE001  # the steps decide what it means
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome


async def _perform(step: Any, guard: Guard, wire: Wire) -> Any:
    match step:
        case Await(future=future, seconds=seconds):
            return await guard.claims.crossing.result(future, seconds)
        case Ask(method=method):
            try:
                return await wire.ask(method)
            except Exception:  # noqa: BLE001  # as the comment says
                # A watch that got no answer knows nothing new; the next one asks again.
                return None


async def _send(
    step: SendPoll, guard: Guard, wire: Wire, task: asyncio.Task[Any]
) -> Delivered | Refused | Ended:
    """Send a poll; it ends by its answer, by `interrupt`, or to be renewed."""
    flight = _AsyncFlight(task, step.request.timeout)
    timer = None
    try:
        if not step.is_final:
            guard.flight = flight
            if guard.is_leaving:
                # The claim went between the last look and now; whoever took it could not see us yet.
                return Ended.INTERRUPTED
        if step.renew_after is not None:
            timer = flight.loop.call_later(step.renew_after, flight.end, Ended.RENEWED)
        return await wire.poll(step.request)
    except (Exception, asyncio.CancelledError):
        flight.close()
        # asyncio's transports, and so aiohttp's, close a turn after they are told to. Who heard before that
        # turn that the poll is over would poll beside it.
        await asyncio.sleep(0)
        if flight.how is None or flight.is_cancelled_by_others:
            raise
        return flight.how  # whatever it was: an error on the way out is nobody's
    finally:
        flight.close()
        if timer is not None:
            timer.cancel()
        if not step.is_final:
            guard.flight = None


class _AsyncFlight:
    """A poll on its way, in the caller's event loop and task."""

    __slots__ = (
        "_cancelled_before",
        "_cancels",
        "_ending",
        "_is_open",
        "_task",
        "how",
        "loop",
        "started",
        "timeout",
    )
    minds_deadline = False

    def __init__(self, task: asyncio.Task[Any], timeout: float) -> None:
        self.loop = task.get_loop()
        self.started = self.loop.time()
        self.timeout = timeout
        self.how: Ended | None = None
        """How we have ended it."""
        self._task = task
        self._cancels = 0
        self._cancelled_before = task.cancelling()
        self._ending: asyncio.Handle | None = None
        """What is scheduled, once it is to end."""
        self._is_open = True

    def interrupt(self, how: Ended) -> None:
        """End it, from any thread."""
        with contextlib.suppress(RuntimeError):  # the caller's loop is closed: the poll ended with it
            self.loop.call_soon_threadsafe(self.end, how)

    def end(self, how: Ended) -> None:
        """Cancel it once that is safe; called in its loop. Said again, it changes nothing."""
        if self._is_open and self._ending is None:
            early = self.started + SETTLE - self.loop.time()
            self._ending = self.loop.call_later(early, self._cancel_next, how)

    def _cancel_next(self, how: Ended) -> None:
        # A turn later: an answer that is there already, as after a freeze, is on its way to the task.
        self._ending = self.loop.call_soon(self._cancel, how)

    def _cancel(self, how: Ended) -> None:
        # Never a second cancel at once, be the first one the caller's: one that meets the closing of a
        # connection loses its slot like one that meets its making. Who swallows a cancel is told again.
        if not self.is_cancelled_by_others:
            self.how = how
            self._cancels += 1
            self._task.cancel()
        self._ending = self.loop.call_later(CLOSING_LIMIT, self._cancel, how)

    @property
    def is_cancelled_by_others(self) -> bool:
        """Whether the caller was cancelled meanwhile: it must hear of it."""
        return self._task.cancelling() - self._cancels > self._cancelled_before

    def close(self) -> None:
        """It has ended: take our cancels back."""
        self._is_open = False
        if self._ending is not None:
            self._ending.cancel()
        for _ in range(self._cancels):
            self._task.uncancel()
        self._cancels = 0


def can_end(flight: Flight | None, *, waiting: asyncio.AbstractEventLoop | None) -> bool:
    """Whether an interrupt would end this poll now, while one loop waits for us."""
    return isinstance(flight, _AsyncFlight) and flight.loop is not waiting and flight.loop.is_running()


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
