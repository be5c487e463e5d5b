"""Many runs at once, one after the other in each of as many processes as there are cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence

from tests.simulation.runs import Key, Outcome, run

CHUNK = 8


def outcomes(keys: Sequence[Key], *, workers: int | None = None) -> Iterator[Outcome]:
    """The outcomes, in the order of the keys."""
    workers = min(workers or os.cpu_count() or 1, len(keys))
    if workers <= 1:
        yield from map(run, keys)
        return
    # Spawned, not forked: the caller may have threads.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_quieten) as pool:
        yield from pool.imap(run, keys, chunksize=CHUNK)


def _quieten() -> None:
    """Have the garbage collector look seldom: a run leaves little behind, and its loops know each other."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
