"""Python's garbage collector, held back while a fleet changes hands.

Ten thousand claims are a hundred thousand new records, all of which stay. Each full collection on the way
looks at every task and record of the process to find nothing: more than a third of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FLEET = 1000
"""So many bots at once; fewer are over before a full collection is due."""


@contextmanager
def uncollected(bots: int) -> Iterator[None]:
    """Hold it back while this block deals with so many bots; not where the program has switched it off."""
    if bots < FLEET or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
