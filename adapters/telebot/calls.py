"""Which open getUpdates a bot still wants: a thread's call cannot be ended, but its updates can be left."""

from __future__ import annotations

import threading


class Calls:
    """The calls of one TeleBot, by number: the latest is the one that it wants, unless it was stopped."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # reentrant: a signal handler may stop in the middle of it
        self._latest = 0
        self._open = 0
        self._is_stopped = False

    def begin(self) -> int:
        """A call begins; the one before, if it is still open, is that of a polling thread given up."""
        with self._changed:
            self._open += 1
            self._is_stopped = False
            self._latest += 1
            return self._latest

    def end(self) -> bool:
        """A call has ended. True: polling was stopped meanwhile, and nothing is open."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
            return self._is_stopped and not self._open

    def stop(self) -> int | None:
        """Polling has stopped: no open call is wanted. None where none is open."""
        with self._changed:
            self._is_stopped = True
            self._latest += 1
            return self._latest if self._open else None

    def is_wanted(self, number: int) -> bool:
        """Whether this call is the latest, and polling was not stopped since."""
        return number == self._latest

    def wait_idle(self, stop: int, seconds: float) -> bool:
        """Wait a moment for the end of all calls; true too where polling has begun again after this stop."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open or self._latest != stop, seconds)
