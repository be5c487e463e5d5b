"""A foreign program, as the first page of its framework has it: nothing in it knows of onepoller.

`rival.py KIND NAME ROOT TOKEN`; kinds: ptb, aiogram, telebot. It imports its framework, says that it is
`ready`, and polls when told `go`, with that framework's own timeouts and pauses. It ends with its stdin.
"""

# ruff: noqa: PLC0415  # each kind imports its own library
from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.e2e.bots.saying import obey, say

Run = Callable[[], object]


def ptb(root: str, token: str) -> Run:
    """Build a python-telegram-bot application."""
    from telegram.ext import ApplicationBuilder, MessageHandler, filters

    async def handle(_: object, __: object) -> None:
        pass

    built = ApplicationBuilder().token(token).base_url(f"{root}/bot").build()
    built.add_handler(MessageHandler(filters.ALL, handle))
    return built.run_polling


def aiogram(root: str, token: str) -> Run:
    """Build an aiogram dispatcher."""
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    dispatcher = Dispatcher()

    @dispatcher.message()
    async def handle(_: Any) -> None:
        pass

    async def poll() -> None:
        bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(root)))
        await dispatcher.start_polling(bot)

    return lambda: asyncio.run(poll())


def telebot(root: str, token: str) -> Run:
    """Build a threaded TeleBot."""
    from telebot import TeleBot, apihelper

    apihelper.API_URL = root + "/bot{0}/{1}"  # type: ignore[assignment]  # as telebot's README has it
    return TeleBot(token).infinity_polling


KINDS: dict[str, Callable[[str, str], Run]] = {"ptb": ptb, "aiogram": aiogram, "telebot": telebot}


def main() -> None:
    """Get ready, wait for the order, poll."""
    kind, name, root, token = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    told = threading.Event()
    obey(lambda _: told.set())
    run = KINDS[kind](f"{root}/_as/{name}", token)
    say(ready=True)
    told.wait()
    run()


if __name__ == "__main__":
    main()
