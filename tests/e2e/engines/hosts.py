"""Bots on several hosts that share a store on a server, and nothing else.

A host is a state directory of its own: what its processes could prove to each other by the kernel's locks,
two hosts cannot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.bots.processes import Bot, Bots

LEASE = 2.0
"""Seconds; etcd knows no shorter one."""


class Hosts:
    """Starts python-telegram-bot applications, each on a host of its own."""

    def __init__(self, bots: Bots, folder: Path, store: str) -> None:
        self._bots = bots
        self._folder = folder
        self._store = store

    def start(self, name: str, **settings: object) -> Bot:
        """Start a bot on the host of this name."""
        of_host: dict[str, Any] = {"store": self._store, "state_dir": self._folder / name, "lease": LEASE}
        return self._bots.ptb(name, **(of_host | settings))
