"""An echo bot with the asynchronous half of pyTelegramBotAPI.

BOT_TOKEN=123456789:AA... python examples/async_telebot_bot.py
"""

import asyncio
import os

from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot
from telebot.types import Message

from onepoller.adapters.telebot import guard

asyncio_helper.API_URL = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org") + "/bot{0}/{1}"
bot = guard(AsyncTeleBot(os.environ["BOT_TOKEN"]))


@bot.message_handler()
async def echo(message: Message) -> None:
    """Answer a message with its own text."""
    await bot.send_message(message.chat.id, message.text)


if __name__ == "__main__":
    asyncio.run(bot.infinity_polling())
