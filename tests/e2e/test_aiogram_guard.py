"""aiogram as people run it: signals in standby, and several bots in one dispatcher."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

from onepoller import OnePoller
from onepoller.adapters.aiogram import guard
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.testing import FakeBotApi
from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow

ONE, TWO = 7000000301, 7000000302
SECRET = "test-test-test-test-test-test-test-"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_standby_ends_it(telegram: Telegram, bots: Bots, number: signal.Signals) -> None:
    """In the middle of a wait of 50 s; aiogram itself takes about a second. Nothing was polled."""
    bots.bare("holder")
    telegram.wait_parked("holder")
    standby = bots.start("aiogram", "standby", "--timeout", "50")
    standby.wait_said(role="standby", timeout=60)
    began = time.monotonic()
    standby.send(number)
    code = standby.ended()

    assert (code, time.monotonic() - began < 5) == (0, True)
    assert [row for row in telegram.rows() if row.poller == "standby" and row.is_poll] == []
    assert "Traceback" not in standby.log


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture
async def fake(anyio_backend: str) -> AsyncIterator[FakeBotApi]:
    """Give a fake Bot API in this event loop."""
    assert anyio_backend == "asyncio"
    async with FakeBotApi() as fake:
        yield fake


class Program:
    """A dispatcher of two bots, guarded by one instance; `handled` hears of which bot a message was."""

    def __init__(self, fake: FakeBotApi, poller: OnePoller, name: str, *, shared: bool) -> None:
        self.poller = poller
        self.handled: asyncio.Queue[int] = asyncio.Queue()
        self._server = TelegramAPIServer.from_base(f"{fake.url}/_as/{name}")
        session = self._session()
        self._bots = [
            guard(Bot(f"{bot}:{SECRET}", session=session if shared else self._session()), poller)
            for bot in (ONE, TWO)
        ]
        dispatcher = self._dispatcher = Dispatcher()

        async def handle(_: Message, bot: Bot) -> None:
            self.handled.put_nowait(bot.id)

        dispatcher.message.register(handle)
        self._polling = asyncio.create_task(
            dispatcher.start_polling(*self._bots, polling_timeout=2, handle_signals=False)
        )

    def _session(self) -> AiohttpSession:
        return AiohttpSession(api=self._server)

    async def stop(self) -> None:
        """Stop polling both."""
        await self._dispatcher.stop_polling()
        await self._polling
        self.poller.close()


@pytest.mark.anyio
@pytest.mark.parametrize("shared", [True, False], ids=["one session", "a session each"])
async def test_each_bot_of_a_dispatcher_has_a_turn_of_its_own(fake: FakeBotApi, *, shared: bool) -> None:
    """One of them is held elsewhere: the other polls, that one stands by, and polls when it is free."""
    store = MemoryStore()
    holder = OnePoller(store=store, environment={}, on_rival="hold")
    elsewhere = guard(
        Bot(f"{TWO}:{SECRET}", session=AiohttpSession(api=TelegramAPIServer.from_base(fake.url))),
        holder,
    )
    await elsewhere.get_updates(timeout=0)
    program = Program(fake, OnePoller(store=store, environment={}, on_rival="hold"), "program", shared=shared)
    try:
        await fake.wait_for(lambda row: row.bot_id == ONE and row.parked_at is not None)
        polled = {row.bot_id for row in fake.rows() if row.is_poll and row.poller == "program"}
        await elsewhere.session.close()
        holder.close()
        await fake.wait_for(lambda row: row.bot_id == TWO and row.parked_at is not None)
        fake.push(ONE, 1)
        fake.push(TWO, 1)
        async with asyncio.timeout(10):
            handled = [await program.handled.get(), await program.handled.get()]
    finally:
        await program.stop()

    assert polled == {ONE}
    assert sorted(handled) == [ONE, TWO]
    assert (conflicts(fake.rows()), overlaps(fake.rows())) == ([], [])
