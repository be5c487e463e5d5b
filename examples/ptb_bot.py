"""An echo bot with python-telegram-bot. Start it twice with one token: one polls, the other stands by.

    BOT_TOKEN=123456789:AA... python examples/ptb_bot.py

The second says

    standing by: bot 123456789 is polled by HOST pid 811 since 14:02; I take over when it ends

and polls as soon as the first ends, however it ends. TELEGRAM_API_ROOT may name a Bot API server of your own.
"""

import logging
import os

from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

from onepoller.adapters.ptb import guard


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a message with its own text."""
    message = update.effective_message
    if message is not None and message.text is not None:
        await context.bot.send_message(message.chat_id, message.text)


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
    builder = ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(f"{root}/bot")
    application = guard(builder).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling()


if __name__ == "__main__":
    main()
