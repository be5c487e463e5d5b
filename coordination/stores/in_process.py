"""The store of this process alone, where the default directory cannot be used."""

from __future__ import annotations

import os

from onepoller.coordination.stores.memory import MemoryStore

_stores: dict[tuple[int, float], MemoryStore] = {}


def in_process_store(*, lease: float = 10.0) -> MemoryStore:
    """The one store of all that wish for the same lease in this process; a forked child has its own."""
    key = (os.getpid(), lease)
    if key not in _stores:
        _stores[key] = MemoryStore(lease=lease)
    return _stores[key]
