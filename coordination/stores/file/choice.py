"""Which store a process uses when the user named none, or named a directory.

A named directory must be fit, or `StoreUnfit` is raised. The default directory never stops a bot: where it
cannot be used, claims are kept in this process alone, and one sentence says so.
"""

from __future__ import annotations

import os
from pathlib import Path

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.file import fitness
from onepoller.coordination.stores.file.store import FileStore
from onepoller.coordination.stores.in_process import in_process_store
from onepoller.coordination.stores.memory import MemoryStore


def choose_file_store(
    directory: str | Path | None = None, *, lease: float = 10.0, allow_unfit: bool = False
) -> tuple[FileStore | MemoryStore, str | None]:
    """The store for this process, and one sentence where it covers less than the host."""
    if fitness.named_directory(directory, os.environ) is not None:
        return FileStore(directory, lease=lease, allow_unfit=allow_unfit), None
    try:
        store = FileStore(lease=lease)
    except StoreUnfit as error:
        return in_process_store(lease=lease), f"Only this process is covered against a second poller: {error}"
    return store, store.coverage
