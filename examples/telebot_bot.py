"""An echo bot with pyTelegramBotAPI. Start it twice with one token: one polls, the other stands by.

BOT_TOKEN=123456789:AA... python examples/telebot_bot.py
"""

import os

import telebot

from onepoller.adapters.telebot import guard

telebot.apihelper.API_URL = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org") + "/bot{0}/{1}"
bot = guard(telebot.TeleBot(os.environ["BOT_TOKEN"]))


@bot.message_handler()
def echo(message: telebot.types.Message) -> None:
    """Answer a message with its own text."""
    bot.send_message(message.chat.id, message.text)


if __name__ == "__main__":
    bot.infinity_polling()
