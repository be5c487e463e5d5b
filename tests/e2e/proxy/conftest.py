"""What the tests of the proxy share: a fake Bot API, proxies before it, plain clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onepoller import OnePoller
from onepoller.adapters.proxy.server import Place, Proxy
from onepoller.coordination.events import Event
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.testing import FakeBotApi
from onepoller.testing.botapi import Row
from tests.e2e.bots.at_server import Telegram
from tests.e2e.proxy.sidecars import Lacking, Sidecars

BOT = 7000000001
LEASE = 1.0


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a client saw."""

    status: int
    body: Any
    seconds: float

    @property
    def ids(self) -> list[int]:
        """The updates in it."""
        return [update["update_id"] for update in self.body["result"]]


class RawClient:
    """A client that keeps its connections until it is closed. Its name goes along in a header."""

    def __init__(self, root: str, token: str, name: str) -> None:
        self.name = name
        self.url = f"{root}/bot{token}"
        self.session = aiohttp.ClientSession(headers={"X-Poller": name})

    async def call(self, method: str, *, patience: float = 20, **fields: Any) -> Reply:
        """Call a method."""
        started = time.monotonic()
        limit = aiohttp.ClientTimeout(total=patience)
        async with self.session.post(f"{self.url}/{method}", data=fields, timeout=limit) as response:
            body = await response.json(content_type=None)
        return Reply(status=response.status, body=body, seconds=time.monotonic() - started)

    async def poll(self, offset: int = 0, timeout: int = 2) -> Reply:
        """Send one getUpdates."""
        return await self.call("getUpdates", offset=offset, timeout=timeout)

    def polling(self, offset: int = 0, timeout: int = 20) -> asyncio.Task[Reply]:
        """Send one getUpdates, beside everything else. A broken connection is the status 0."""
        return asyncio.create_task(self._poll_or_break(offset, timeout))

    async def _poll_or_break(self, offset: int, timeout: int) -> Reply:
        try:
            return await self.poll(offset, timeout)
        except aiohttp.ClientError:
            return Reply(status=0, body=None, seconds=0)

    async def close(self) -> None:
        """Close the connection, whatever is going on over it."""
        await self.session.close()


class Bench:
    """The fake, and what stands before it."""

    def __init__(self, fake: FakeBotApi, token: str, stack: AsyncExitStack) -> None:
        self.fake = fake
        self.token = token
        self.events: list[Event] = []
        self._stack = stack
        self._store = MemoryStore(lease=LEASE)

    async def proxy(
        self, *, api_root: str = "", settings: dict[str, Any] | None = None, **place: Any
    ) -> Proxy:
        """Start a proxy."""
        poller = OnePoller(
            on_rival="hold",  # it looks before it polls else, and the tests count polls
            store=self._store,
            environment={},
            listeners=[self.events.append],
            **{"lease": LEASE} | (settings or {}),
        )
        self._stack.callback(poller.close)
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": 0,
            "api_root": api_root or self.fake.url,
        } | place
        return await self._stack.enter_async_context(Proxy(poller, Place(**given)))

    def client(self, proxy: Proxy, name: str) -> RawClient:
        """Make a client."""
        made = RawClient(proxy.url, self.token, name)
        self._stack.push_async_callback(made.close)
        return made

    def polls(self) -> list[Row]:
        """The polls that reached the server."""
        return [row for row in self.fake.rows(BOT) if row.is_poll]

    async def parked(self, name: str, *, after: int = 0) -> Row:
        """Wait until a poll of this client waits at the server."""
        return await self.fake.wait_for(
            lambda row: row.poller == name and row.parked_at is not None and row.is_open, after=after
        )


@pytest.fixture
async def bench(canary: str, anyio_backend: str) -> AsyncIterator[Bench]:
    """Give a fake Bot API, and what makes proxies and clients before it."""
    del anyio_backend
    async with FakeBotApi() as fake, AsyncExitStack() as stack:
        yield Bench(fake, canary, stack)


@pytest.fixture
def sidecars(telegram: Telegram, tmp_path: Path, lacking: Lacking) -> Iterator[Sidecars]:
    """Give a maker of proxies and of bots behind them; they are ended with the test."""
    made = Sidecars(telegram, tmp_path, lacking)
    yield made
    made.close()
