"""aiogram, its dispatcher started in a task."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message, Update

from onepoller import OnePoller
from onepoller.adapters.aiogram import guard
from tests.contract.driver import PATIENCE, SLACK, TIMEOUT, Notes, Running


class AiogramBot:
    """A dispatcher that polls."""

    def __init__(self, bot: Bot, dispatcher: Dispatcher, notes: Notes) -> None:
        self.notes = notes
        self._dispatcher = dispatcher
        self._polling = asyncio.create_task(
            dispatcher.start_polling(bot, polling_timeout=TIMEOUT, handle_signals=False)
        )

        self._polling.add_done_callback(self._polled)

    def _polled(self, polling: asyncio.Task[None]) -> None:
        """Hear what polling died of: nobody else would."""
        if (error := polling.exception()) is not None:
            self.notes.hear(f"polling ended: {type(error).__name__}: {error}")

    async def stop(self) -> None:
        """Stop the dispatcher, which closes the session; one that died has closed it."""
        if not self._polling.done():
            await self._dispatcher.stop_polling()
        await asyncio.wait((self._polling,))


class Aiogram:
    """Its driver."""

    name = "aiogram"
    dies_of = frozenset({"no_result_200"})
    instead: Mapping[str, list[str]] = {}

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Delete the webhook as the templates of aiogram do, then poll."""
        notes = Notes()
        bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(url), timeout=PATIENCE))
        if poller is not None:
            guard(bot, poller)
        dispatcher = Dispatcher()

        async def handle(_: Message, event_update: Update) -> None:
            notes.handle(event_update.update_id)

        dispatcher.message.register(handle)
        try:
            await bot.me()
            await bot.delete_webhook(drop_pending_updates=drop)
        except Exception:
            await bot.session.close()
            raise
        bot.session.timeout = SLACK  # of polls; the calls of so many starts at once may take longer
        return AiogramBot(bot, dispatcher, notes)
