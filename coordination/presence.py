"""Whether the framework is there: its open call, or since when it has been silent, and who called.

A second call while one is open is our own overlap; it waits. The silence is judged by `stall`.
"""

from __future__ import annotations

import math
import threading
import weakref
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from onepoller.coordination import stall
from onepoller.coordination.settings import Settings
from onepoller.coordination.wire import Manners, OnCancel

SET_ASIDE = 3.0
"""So long after a batch its caller's next call goes before those of other callers, seconds."""
FINAL_WINDOW = 1.0
"""A `timeout=0` call within so many seconds after a cancelled long poll is its final confirm."""
Caller = weakref.ref[Any]
"""The task or thread that called; not kept alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a second call waits for, and for how long at most."""

    ended: Future[None]
    seconds: float


class Presence:
    """The framework of one bot in one process, as its calls show it."""

    def __init__(self, settings: Settings) -> None:
        self.is_stalled = False
        self.was_answered = False
        """A short poll in standby was answered at once, since we last held the claim."""
        self._settings = settings
        self._lock = threading.Lock()
        self.has_open_call = False
        """Whether a call of the framework is open."""
        self._ended: Future[None] | None = None
        """Made only where a second call waits for the end of the open one."""
        self._is_cancelling = False
        self._final_until = 0.0
        self._silence: tuple[float, stall.CallEnd, Manners, float] | None = None
        """Since when, after what, of whom, and the `retry_after`: a record is made where it is looked at."""
        self._caller: Caller | None = None
        self._longest_pause = 0.0
        self._is_task_per_call = False
        """The framework has called again though the task that called before had ended: tasks say nothing here
        (before Python 3.12 `asyncio.wait_for` runs each call in a task of its own)."""

    def enter(self, caller: Caller, now: float, *, is_owed: bool = False) -> Turn | None:
        """Open a call; or what to wait for: the open call, or the next one of whoever is given the turn.

        `is_owed`: a batch that we handed on is not acknowledged, also not by this call. Another caller of
        this process would get it a second time: whoever was given it calls first.
        """
        with self._lock:
            seconds = math.inf
            if not self.has_open_call:
                seconds = self._kept_for_another(caller, now) if is_owed else 0.0
            if seconds <= 0:
                self.has_open_call = True
                return None
            return Turn(ended=self._end_of_the_open_call(), seconds=seconds)

    def _end_of_the_open_call(self) -> Future[None]:
        if self._ended is None:
            self._ended = Future()
        return self._ended

    def open_poll(self) -> Future[None] | None:
        """Done when the open call has ended; None where none is, or its connection is closed already."""
        with self._lock:
            return self._end_of_the_open_call() if self.has_open_call and not self._is_cancelling else None

    def _kept_for_another(self, caller: Caller, now: float) -> float:
        """For how long the turn is kept for the caller that was given a batch, seconds."""
        silence = self._silence
        if silence is None or silence[1] is not stall.CallEnd.BATCH or caller is self._caller:
            return 0.0
        return silence[0] + SET_ASIDE - now if self._caller_lives else 0.0

    def called(self, caller: Caller, now: float, *, was_let_go: bool = False) -> bool:
        """The call is open: the framework lives. True where it had been taken for dead.

        `was_let_go`: polling was stopped since the last call. After a stop another task calls, whatever
        the caller does otherwise.
        """
        silence, self._silence = self._silence, None
        was_stalled, self.is_stalled = self.is_stalled, False
        if silence is not None:
            since, after, _, _ = silence
            is_restart = was_let_go or was_stalled or after is stall.CallEnd.CANCELLED
            if caller is not self._caller and not is_restart and not self._caller_lives:
                self._is_task_per_call = True
            if after is stall.CallEnd.EMPTY and now - since > self._longest_pause:
                self._longest_pause = now - since
        self._is_cancelling = False
        self._caller = caller
        return was_stalled

    @property
    def _caller_lives(self) -> bool:
        thing = None if self._caller is None else self._caller()
        if thing is None:
            return False
        return not thing.done() if hasattr(thing, "done") else bool(thing.is_alive())

    def first_answer(self, seconds: float, *, in_standby: bool) -> float:
        """How long a short poll waits for the claim: in standby not at all the first time."""
        wait = 0.0 if in_standby and not self.was_answered else seconds
        self.was_answered = in_standby
        return wait

    def cancelling(self) -> None:
        """The open call is being cancelled; its connection may take a moment to close."""
        self._is_cancelling = True

    def leave(self, *, how: stall.CallEnd, manners: Manners, now: float, retry_after: float) -> None:
        """The call has ended; from now on the framework is silent."""
        if how is stall.CallEnd.CANCELLED:
            self._final_until = now + FINAL_WINDOW
        self._is_cancelling = False
        self._silence = (now, how, manners, retry_after)
        with self._lock:
            self.has_open_call = False
            ended, self._ended = self._ended, None
        if ended is not None:
            ended.set_result(None)

    def is_final(self, now: float) -> bool:
        """Whether a call with `timeout=0` is the last one of a framework that stops."""
        return self._is_cancelling or now < self._final_until

    def overstayed(self, now: float) -> stall.Silence | None:
        """The silence, where it has lasted too long and was not told yet."""
        seen = self._silence
        if seen is None or self.is_stalled:
            return None
        since, after, manners, retry_after = seen
        silence = stall.Silence(
            since=since,
            after=after,
            retry_after=retry_after,
            fetches_ahead=manners.fetches_ahead,
            keep_briefly=manners.on_cancel is OnCancel.PAUSE,
        )
        alive = self._is_task_per_call or self._caller_lives
        longest = self._longest_pause
        limit = stall.limit(silence, self._settings, caller_alive=alive, longest_pause=longest)
        return silence if now - since >= limit else None


caller_of = weakref.ref
"""A task or thread as a `Caller`: of one thing there is one reference."""
