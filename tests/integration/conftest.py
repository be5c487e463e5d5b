"""A bot whose Telegram is a script: what the mocked-409 tests stand on, yours too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import respx

from onepoller import OnePoller
from onepoller.coordination.events import Event
from onepoller.coordination.stores.memory import MemoryStore

BOT = 7000000001
ROOT = "https://api.telegram.org"


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture
def events() -> list[Event]:
    """Give what `poller` has told."""
    return []


@pytest.fixture
def make_poller() -> Iterator[Callable[..., OnePoller]]:
    """Give a function that makes instances which meet in one store, as processes meet in a directory."""
    store = MemoryStore()
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            OnePoller(store=store, environment={}, **{"on_rival": "hold"} | settings)
        )


@pytest.fixture
def poller(make_poller: Callable[..., OnePoller], events: list[Event]) -> OnePoller:
    """Give the instance whose bot is tested."""
    return make_poller(listeners=[events.append], webhook_watch=0.5)


@pytest.fixture
def peer_at_work(make_poller: Callable[..., OnePoller]) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Give a block in which another instance holds the claim and polls."""

    @asynccontextmanager
    async def at_work() -> AsyncIterator[None]:
        polls = asyncio.Event()

        async def call(_method: str, _parameters: dict[str, Any]) -> dict[str, Any]:
            polls.set()
            await asyncio.Event().wait()
            raise AssertionError

        task = asyncio.create_task(make_poller().get_updates(BOT, call, timeout=50))
        await polls.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    return at_work


class Telegram:
    """The Bot API as a script: `script` is what getUpdates answers, call by call."""

    def __init__(self, router: respx.MockRouter, token: str) -> None:
        bot = f"{ROOT}/bot{token}"
        self.polls = router.post(url__startswith=f"{bot}/getUpdates")
        self.webhook_questions = router.post(f"{bot}/getWebhookInfo")
        self.webhook_questions.respond(json={"ok": True, "result": {"url": "", "pending_update_count": 0}})

    def script(self, *answers: httpx.Response | Exception) -> None:
        """Say what the next polls are answered."""
        self.polls.side_effect = list(answers)


@pytest.fixture
def telegram(canary: str) -> Iterator[Telegram]:
    """Give the scripted Bot API; a call that nobody expected fails the test."""
    with respx.mock(assert_all_called=False) as router:
        yield Telegram(router, canary)
