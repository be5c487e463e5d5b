"""A fake API server for Leases: real HTTP in a thread, as strict as the real one, with faults on demand."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from aiohttp import web

from onepoller.testing.botapi.listening import stop_listening
from tests.e2e.engines.kubernetes_api.handlers import Handlers
from tests.e2e.engines.kubernetes_api.state import ALL, TOKEN, State
from tests.e2e.engines.kubernetes_api.storage import Storage
from tests.e2e.engines.servers import free_port

T = TypeVar("T")


class FakeKubernetes(State):
    """Start it with `start`; it is stopped with `stop`, and may start again on the same port."""

    def __init__(self, *, granted: frozenset[str] = ALL, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(granted=granted)
        self.port = free_port()
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._storage = self._now(_made(Storage))
        self._handlers = Handlers(self, self._storage)
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Of the server."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, namespace: str = "bots", token: str = TOKEN) -> str:
        """A kubeconfig that leads here (JSON is YAML)."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "contexts": [
                    {"name": "fake", "context": {"cluster": "fake", "user": "one", "namespace": namespace}}
                ],
                "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                "users": [{"name": "one", "user": {"token": token}}],
            }
        )

    # Its life

    def start(self) -> Self:
        """Listen."""
        self._now(self._start())
        return self

    def stop(self) -> None:
        """End it; Leases are kept for the next start."""
        self._now(self._stop())

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def freeze(self) -> None:
        """Take requests, and answer none, until `thaw`."""
        self._loop.call_soon_threadsafe(self.thawed.clear)

    def thaw(self) -> None:
        """Answer what has waited, too."""
        self._loop.call_soon_threadsafe(self.thawed.set)

    # What happens to it

    def close_watches(self) -> None:
        """End every watch that stands, as a server does from time to time."""
        self._now(self._handlers.close_watches())

    def forget_history(self) -> None:
        """Compaction: whoever watches from before is told 410."""
        self._now(_made(self._storage.forget))

    # Its Leases, for tests to look at and to spoil

    def leases(self, namespace: str = "bots") -> dict[str, dict[str, Any]]:
        """All Leases by name."""

        async def copied() -> dict[str, dict[str, Any]]:
            kept = self._storage.leases
            return {
                name: json.loads(json.dumps(one)) for (where, name), one in kept.items() if where == namespace
            }

        return self._now(copied())

    def edit(self, name: str, change: Callable[[dict[str, Any]], None], namespace: str = "bots") -> None:
        """What `kubectl edit` does."""

        async def edited() -> None:
            lease = json.loads(json.dumps(self._storage.get((namespace, name))))
            change(lease)
            self._storage.update((namespace, name), lease)

        self._now(edited())

    def delete(self, name: str, namespace: str = "bots") -> None:
        """What `kubectl delete` does."""

        async def deleted() -> None:
            self._storage.delete((namespace, name), {})

        self._now(deleted())

    def _now(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout=30)

    # Requests, in its own loop

    async def _start(self) -> None:
        self._runner = web.AppRunner(self._handlers.application(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        handle = self._runner.server
        assert handle is not None
        self._listening = await self._loop.create_server(
            handle, "127.0.0.1", self.port, reuse_address=True, ssl=self._tls
        )

    async def _stop(self) -> None:
        if self._runner is not None:
            if self._listening is not None:
                await stop_listening(self._listening)
            await self._handlers.close_watches()
            for connection in self._runner.server.connections if self._runner.server else ():
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()
            await _some_turns()  # what was aborted is closed in one of them
            self._runner = None


async def _some_turns() -> None:
    """Turns of the loop, not seconds: on a busy machine fifty milliseconds may be one."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def _made(make: Callable[[], T]) -> T:
    """Made in the loop of whoever awaits this."""
    return make()
