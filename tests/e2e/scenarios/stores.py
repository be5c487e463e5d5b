"""The store of a scenario's bots, and what can go wrong with it: a directory, or a server behind proxies."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.e2e.engines.engine_kinds import ENGINES, Engine
from tests.e2e.engines.fault_proxy import FaultProxy
from tests.e2e.engines.servers import Require

FILE = "file"
ON_SERVERS = tuple(engine.name for engine in ENGINES)
EVERYWHERE = (FILE, *ON_SERVERS)


class ServedStore:
    """A real server; each bot reaches it through a proxy of its own."""

    def __init__(self, engine: Engine, require: Require, folder: Path, stack: ExitStack) -> None:
        self.engine = engine
        self.server = engine.make(require, folder / "server").start()
        stack.callback(self.server.close)
        self.proxies: dict[str, FaultProxy] = {}
        self._stack = stack

    def way_of(self, name: str) -> str:
        """The URL for this bot."""
        self.proxies[name] = self._stack.enter_context(FaultProxy(self.server.port))
        return self.engine.url(self.server, self.proxies[name].port)


class Stores:
    """Makes the store of one test."""

    def __init__(self, require: Require, folder: Path, stack: ExitStack) -> None:
        self._require = require
        self._folder = folder
        self._stack = stack

    def served(self, name: str) -> ServedStore:
        """Start a server of this kind."""
        engine = next(engine for engine in ENGINES if engine.name == name)
        return ServedStore(engine, self._require, self._folder, self._stack)

    def urls(self, name: str, *bots: str) -> list[str]:
        """The URLs of a store of this kind, one for each of these bots."""
        if name == FILE:
            return [f"file://{self._folder}/claims" for _ in bots]
        store = self.served(name)
        return [store.way_of(bot) for bot in bots]
