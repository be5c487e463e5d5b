"""A developer's copy of a bot, guarded, in polling mode: each framework's own way to get rid of a webhook.

`developer.py IDIOM NAME ROOT`. The token is BOT_TOKEN of the environment, else that of `.env` in the current
folder, as usual: an exported variable wins. All of them would drop what waits, where the framework can.
Nothing is caught: what is refused ends the program. It ends with its stdin.
"""

# ruff: noqa: PLC0415  # each idiom imports its own library
from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.bots.saying import obey, say


def ptb(root: str, token: str) -> None:
    """`run_polling` deletes the webhook by itself."""
    from telegram.ext import ApplicationBuilder, MessageHandler, filters

    from onepoller.adapters.ptb import guard

    async def handle(update: Any, _: object) -> None:
        say(handled=update.update_id)

    builder = ApplicationBuilder().token(token).base_url(f"{root}/bot")
    guard(builder)
    built = builder.build()
    built.add_handler(MessageHandler(filters.ALL, handle))
    built.run_polling(drop_pending_updates=True)


def aiogram(root: str, token: str) -> None:
    """`delete_webhook`, then `start_polling`."""
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.types import Update

    from onepoller.adapters.aiogram import guard

    dispatcher = Dispatcher()

    @dispatcher.message()
    async def handle(_: object, event_update: Update) -> None:
        say(handled=event_update.update_id)

    async def run() -> None:
        bot = guard(Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(root))))
        try:
            await bot.delete_webhook(drop_pending_updates=True)
            await dispatcher.start_polling(bot)
        finally:
            await bot.session.close()

    asyncio.run(run())


def telebot(root: str, token: str) -> None:
    """`remove_webhook`, then `infinity_polling`."""
    from telebot import TeleBot, apihelper

    from onepoller.adapters.telebot import guard

    apihelper.API_URL = root + "/bot{0}/{1}"  # type: ignore[assignment]  # as telebot's README has it
    bot = guard(TeleBot(token))
    bot.remove_webhook()
    bot.infinity_polling(skip_pending=True)


def bare(root: str, token: str) -> None:
    """Call `deleteWebhook` by hand, and go on only if that was answered well."""
    import httpx

    from onepoller.adapters.transport import GuardedTransport

    with httpx.Client(
        base_url=f"{root}/bot{token}/", transport=GuardedTransport(), timeout=15, trust_env=False
    ) as client:
        reply = client.post("deleteWebhook", json={"drop_pending_updates": True}).json()
        if not reply["ok"]:
            raise SystemExit(reply["description"])
        while True:
            client.post("getUpdates", json={"timeout": 2})


IDIOMS: dict[str, Callable[[str, str], None]] = {
    "ptb": ptb,
    "aiogram": aiogram,
    "telebot": telebot,
    "bare": bare,
}


def main() -> None:
    """Find the token, and start."""
    idiom, name, root = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    obey(lambda _: None)
    token = os.environ.get("BOT_TOKEN") or Path(".env").read_text().strip().removeprefix("BOT_TOKEN=")
    IDIOMS[idiom](f"{root}/_as/{name}", token)


if __name__ == "__main__":
    main()
