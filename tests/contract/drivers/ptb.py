"""python-telegram-bot, its application started by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegram import Update
from telegram.error import TelegramError
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters

from onepoller import OnePoller
from onepoller.adapters.ptb import guard
from tests.contract.driver import SLACK, TIMEOUT, Notes, Running

AnyApplication = Application[Any, Any, Any, Any, Any, Any]


class PtbBot:
    """A running application."""

    def __init__(self, application: AnyApplication, notes: Notes) -> None:
        self.notes = notes
        self._application = application

    async def start(self, *, drop: bool) -> None:
        """Start its updater."""
        assert self._application.updater is not None
        await self._application.initialize()
        await self._application.start()
        try:
            await self._application.updater.start_polling(
                timeout=TIMEOUT, bootstrap_retries=0, drop_pending_updates=drop
            )
        except TelegramError:
            await self._end()
            raise

    async def stop(self) -> None:
        """Stop the updater, then the rest; an updater whose task died of a 401 tells that now."""
        assert self._application.updater is not None
        try:
            await self._application.updater.stop()
        except TelegramError as error:
            self.notes.hear(f"stop: {error}")
        await self._end()

    async def _end(self) -> None:
        await self._application.stop()
        assert self._application.updater is not None
        self._application.updater._running = False  # after a 401 it would refuse to be shut down
        await self._application.shutdown()


class Ptb:
    """Its driver."""

    name = "ptb"
    dies_of = frozenset({"unauthorized_401", "not_found_404"})
    instead: Mapping[str, list[str]] = {}

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Build an application, and start it."""
        notes = Notes()
        builder = ApplicationBuilder().token(token).base_url(f"{url}/bot").get_updates_read_timeout(SLACK)
        application = (builder if poller is None else guard(builder, poller)).build()

        async def handle(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
            notes.handle(update.update_id)

        application.add_handler(MessageHandler(filters.ALL, handle))
        bot = PtbBot(application, notes)
        await bot.start(drop=drop)
        return bot
