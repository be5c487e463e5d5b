"""Python's garbage collector, held back while a fleet starts, and while it changes hands.

Ten thousand claims are a hundred thousand new records, all of which stay. Each full collection on the way
looks at every task and record of the process to find nothing: more than a third of the time.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FLEET = 1000
"""So many bots at once; fewer are over before a full collection is due."""
_lock = threading.Lock()


class Hold:
    """A reason to hold it back until `end`; without effect where the program has switched it off.

    `collect`: look at everything once, then. By itself it would look at all that came meanwhile three times,
    as it ages.
    """

    def __init__(self, *, collect: bool = False) -> None:
        self._collect = collect
        with _lock:
            if _holds or gc.isenabled():
                _holds.add(self)
                gc.disable()

    def end(self) -> None:
        """It may go on, unless something else holds it back. Idempotent."""
        with _lock:
            was_last = _holds == {self}
            _holds.discard(self)
            if was_last:
                gc.enable()
        if was_last and self._collect:
            gc.collect()


_holds: set[Hold] = set()


@contextmanager
def uncollected(bots: int) -> Iterator[None]:
    """Hold it back while this block deals with so many bots."""
    if bots < FLEET:
        yield
        return
    hold = Hold()
    try:
        yield
    finally:
        hold.end()


def _in_child() -> None:
    """In a forked child no hold ever ends, and who had the lock is not there."""
    global _lock  # noqa: PLW0603  # as above
    _lock = threading.Lock()
    if _holds:
        _holds.clear()
        gc.enable()


os.register_at_fork(after_in_child=_in_child)
