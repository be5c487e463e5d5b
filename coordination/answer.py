"""What a call waits for, said once, by any thread: a future of which ten thousand may be made at once.

Four methods of `concurrent.futures.Future`, with their meaning; but nobody cancels it, and the first value
stays. A Future is fifteen objects, locks among them, that only a waiting thread needs: of ten thousand bots
they were a quarter of all that the garbage collector walks through.

No lock: a callback is appended before the look whether the value is there, and the value is there before
callbacks are popped, so each is popped by one of the two sides and by one alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_UNSAID: Any = object()


class Promised(Protocol[T_co]):
    """What `Answer` and `concurrent.futures.Future` have in common."""

    def done(self) -> bool:
        """Whether it has been said."""
        ...

    def result(self, timeout: float | None = None) -> T_co:
        """What was said, waiting for it in this thread. Raises TimeoutError."""
        ...

    def add_done_callback(self, fn: Callable[[Any], object], /) -> object:
        """Call this once it is said, in the thread that says it; or now, where it was."""
        ...


class Answer(Generic[T]):
    """One value, said once."""

    __slots__ = ("_callbacks", "_value")

    def __init__(self) -> None:
        self._value: T = _UNSAID
        self._callbacks: list[Callable[[Answer[T]], object]] = []

    def __repr__(self) -> str:
        return f"<Answer {self._value!r}>" if self.done() else "<Answer to come>"

    def done(self) -> bool:
        """Whether it has been said."""
        return self._value is not _UNSAID

    def set_result(self, value: T) -> None:
        """Say it. Without effect where it was said before."""
        if self._value is _UNSAID:
            self._value = value
            self._call_back()

    def add_done_callback(self, fn: Callable[[Answer[T]], object], /) -> None:
        """Call this once it is said, in the thread that says it; or now, where it was."""
        self._callbacks.append(fn)
        if self._value is not _UNSAID:
            self._call_back()

    def result(self, timeout: float | None = None) -> T:
        """What was said, waiting for it in this thread. Raises TimeoutError."""
        if self._value is _UNSAID:
            said = threading.Event()
            self.add_done_callback(lambda _: said.set())
            if not said.wait(timeout):
                raise TimeoutError
        return self._value

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:  # the other side has taken the last one
                return
            callback(self)
