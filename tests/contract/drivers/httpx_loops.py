"""Two plain loops over httpx: with an event loop, and in a thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Mapping
from typing import Any

import httpx

from onepoller import OnePoller
from onepoller.adapters.transport import AsyncGuardedTransport, GuardedTransport
from tests.contract.driver import SLACK, TIMEOUT, Notes, Running

AT_START = 20.0
"""Seconds for what dozens do at once; the time-out of polls is under test, and short."""
_PAUSE = 0.1
"""After an error, seconds."""
_ERRORS = (httpx.HTTPError, ValueError, KeyError)


def _result(reply: httpx.Response) -> Any:
    """What the Bot API answered; its error as a ValueError."""
    body = reply.json()
    if not body["ok"]:
        raise ValueError(body["description"])
    return body["result"]


class _Loop:
    """What both loops do with a reply."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self._offset = 0

    @property
    def _parameters(self) -> dict[str, int]:
        return {"offset": self._offset, "timeout": TIMEOUT}

    def _take(self, reply: httpx.Response) -> None:
        for update in _result(reply):
            self._offset = update["update_id"] + 1
            self.notes.handle(update["update_id"])

    def _hear(self, error: Exception) -> None:
        self.notes.hear(f"{type(error).__name__}: {error}")


class AsyncLoop(_Loop):
    """A task that polls."""

    def __init__(self, client: httpx.AsyncClient, notes: Notes) -> None:
        super().__init__(notes)
        self._client = client
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                self._take(await self._client.post("getUpdates", json=self._parameters))
            except _ERRORS as error:
                self._hear(error)
                await asyncio.sleep(_PAUSE)

    async def stop(self) -> None:
        """Cancel the task."""
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._client.aclose()


class SyncLoop(_Loop):
    """A thread that polls; a poll that is open lasts until it is answered."""

    def __init__(self, client: httpx.Client, notes: Notes) -> None:
        super().__init__(notes)
        self._client = client
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,))
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self._take(self._client.post("getUpdates", json=self._parameters))
            except _ERRORS as error:
                self._hear(error)
                self._is_over.wait(_PAUSE)

    async def stop(self) -> None:
        """Wait until the thread has seen that it is over."""
        self._is_over.set()
        await asyncio.to_thread(self._thread.join)
        self._client.close()


class Httpx:
    """The driver of the loop with an event loop."""

    name = "httpx"
    dies_of: frozenset[str] = frozenset()
    instead: Mapping[str, list[str]] = {}

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Delete the webhook, then poll."""
        notes = Notes()
        client = httpx.AsyncClient(
            base_url=f"{url}/bot{token}/",
            transport=None if poller is None else AsyncGuardedTransport(poller=poller),
            timeout=httpx.Timeout(TIMEOUT + SLACK, connect=AT_START),
            trust_env=False,
        )
        try:
            parameters = {"drop_pending_updates": drop}
            _result(await client.post("deleteWebhook", json=parameters, timeout=AT_START))
        except ValueError:
            await client.aclose()
            raise
        return AsyncLoop(client, notes)


class HttpxSync:
    """The driver of the loop in a thread."""

    name = "httpx, sync"
    dies_of: frozenset[str] = frozenset()
    instead: Mapping[str, list[str]] = {}

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Delete the webhook, then poll."""
        notes = Notes()
        client = httpx.Client(
            base_url=f"{url}/bot{token}/",
            transport=None if poller is None else GuardedTransport(poller=poller),
            timeout=httpx.Timeout(TIMEOUT + SLACK, connect=AT_START),
            trust_env=False,
        )
        parameters = {"drop_pending_updates": drop}
        try:
            _result(await asyncio.to_thread(client.post, "deleteWebhook", json=parameters, timeout=AT_START))
        except ValueError:
            await asyncio.to_thread(client.close)
            raise
        return SyncLoop(client, notes)
