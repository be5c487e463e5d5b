"""An echo bot with aiogram. Start it twice with one token: one polls, the other stands by.

    BOT_TOKEN=123456789:AA... python examples/aiogram_bot.py

The second says

    standing by: bot 123456789 is polled by HOST pid 811 since 14:02; I take over when it ends

and polls as soon as the first ends, however it ends. TELEGRAM_API_ROOT may name a Bot API server of your own.
"""

import asyncio
import logging
import os

from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

from onepoller.adapters.aiogram import guard

dispatcher = Dispatcher()


@dispatcher.message(F.text)
async def echo(message: Message) -> None:
    """Answer a message with its own text."""
    await message.answer(message.text or "")


async def main() -> None:
    """Run until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
    session = AiohttpSession(api=TelegramAPIServer.from_base(root))
    bot = guard(Bot(os.environ["BOT_TOKEN"], session=session))
    await dispatcher.start_polling(bot)


if __name__ == "__main__":
    asyncio.run(main())
