"""Python's garbage collector, held back while a fleet changes hands.

Ten thousand claims are a hundred thousand new records, all of which stay. Each full collection on the way
looks at every task and record of the process to find nothing: more than a third of the time.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

FLEET = 1000
"""So many bots at once; fewer are over before a full collection is due."""
_is_held_back = False


@contextmanager
def uncollected(bots: int) -> Iterator[None]:
    """Hold it back while this block deals with so many bots; not where the program has switched it off."""
    global _is_held_back  # noqa: PLW0603  # a process has one collector
    if bots < FLEET or not gc.isenabled():
        yield
        return
    gc.disable()
    _is_held_back = True
    try:
        yield
    finally:
        _is_held_back = False
        gc.enable()


def _in_child() -> None:
    """In a forked child no block ever ends."""
    if _is_held_back:
        gc.enable()


os.register_at_fork(after_in_child=_in_child)
