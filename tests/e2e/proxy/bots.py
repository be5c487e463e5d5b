"""A Python bot as people write it: `bots.py KIND NAME ROOT TOKEN`.

Nothing in it knows of onepoller; the base URL of its library is all that is set. It tells what it handles and
ends with its stdin. Kinds: ptb, aiogram, telebot, async-telebot, requests.
"""

# ruff: noqa: PLC0415  # each kind imports its own library
from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

from tests.e2e.bots.saying import obey, say


def ptb(name: str, root: str, token: str) -> None:
    """Run python-telegram-bot."""
    from telegram.ext import ApplicationBuilder, MessageHandler, filters

    async def handle(update: Any, _: Any) -> None:
        say(handled=update.update_id, by=name)

    built = ApplicationBuilder().token(token).base_url(f"{root}/bot").build()
    built.add_handler(MessageHandler(filters.ALL, handle))
    built.run_polling(timeout=2)


def aiogram(name: str, root: str, token: str) -> None:
    """Run aiogram."""
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.types import Message, Update

    dispatcher = Dispatcher()

    @dispatcher.message()
    async def handle(_: Message, event_update: Update) -> None:
        say(handled=event_update.update_id, by=name)

    session = AiohttpSession(api=TelegramAPIServer.from_base(root))
    asyncio.run(dispatcher.start_polling(Bot(token, session=session), polling_timeout=2))


def telebot(name: str, root: str, token: str) -> None:
    """Run pyTelegramBotAPI."""
    from telebot import TeleBot, apihelper, types

    apihelper.API_URL = root + "/bot{0}/{1}"  # type: ignore[assignment]  # as telebot's README has it

    class Told(TeleBot):
        def process_new_updates(self, updates: list[types.Update]) -> None:
            super().process_new_updates(updates)
            for update in updates:
                say(handled=update.update_id, by=name)

    Told(token).infinity_polling(timeout=2, long_polling_timeout=2)


def async_telebot(name: str, root: str, token: str) -> None:
    """Run pyTelegramBotAPI on asyncio."""
    from telebot import asyncio_helper, types
    from telebot.async_telebot import AsyncTeleBot

    asyncio_helper.API_URL = root + "/bot{0}/{1}"

    class Told(AsyncTeleBot):
        async def process_new_updates(self, updates: list[types.Update]) -> None:
            await super().process_new_updates(updates)
            for update in updates:
                say(handled=update.update_id, by=name)

    asyncio.run(Told(token).infinity_polling(timeout=2))


def plain(name: str, root: str, token: str) -> None:
    """Poll with requests, each poll on a connection of its own."""
    import requests

    offset = 0
    while True:
        reply = requests.get(
            f"{root}/bot{token}/getUpdates", params={"offset": offset, "timeout": 2}, timeout=30
        ).json()
        if not reply["ok"]:
            say(refused=reply["error_code"])
            continue
        for update in reply["result"]:
            say(handled=update["update_id"], by=name)
            offset = update["update_id"] + 1


KINDS: dict[str, Callable[[str, str, str], None]] = {
    "ptb": ptb,
    "aiogram": aiogram,
    "telebot": telebot,
    "async-telebot": async_telebot,
    "requests": plain,
}

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    obey(lambda _: None)
    KINDS[sys.argv[1]](*sys.argv[2:])
