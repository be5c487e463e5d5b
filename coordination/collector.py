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
_blocks: list[int] = []
"""Those that hold it back now."""


@contextmanager
def uncollected(bots: int) -> Iterator[None]:
    """Hold it back while this block deals with so many bots; not where the program has switched it off."""
    if bots < FLEET or not gc.isenabled():
        yield
        return
    _blocks.append(bots)
    gc.disable()
    try:
        yield
    finally:
        _blocks.remove(bots)
        gc.enable()


def _in_child() -> None:
    """In a forked child no block ever ends."""
    if _blocks:
        _blocks.clear()
        gc.enable()


os.register_at_fork(after_in_child=_in_child)
