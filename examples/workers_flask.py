"""A Flask app with a bot beside it, under the debug reloader: each reload stops it and starts it anew.

    cd examples
    BOT_TOKEN=123456789:AA... flask --app workers_flask run --debug

The reloader's parent imports this module too. It must not start the bot: it was there first, so it would
poll, with the code of that time, and what you edit would stand by. GET / says who answers, and whether it
polls; POST /CHAT_ID has it send a message to that chat.
"""

import atexit
import os
from typing import Any

from bot_thread import BotThread
from flask import Flask
from flask.helpers import get_debug_flag
from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters
from werkzeug.serving import is_running_from_reloader

import onepoller
from onepoller.adapters.ptb import guard

app = Flask(__name__)


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a message with its own text."""
    message = update.effective_message
    if message is not None and message.text is not None:
        await context.bot.send_message(message.chat_id, message.text)


root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
application = guard(ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(f"{root}/bot")).build()
application.add_handler(MessageHandler(filters.TEXT, echo))
bot = BotThread(application)
if is_running_from_reloader() or not get_debug_flag():
    bot.start()
    atexit.register(bot.stop)


@app.get("/")
def look() -> dict[str, Any]:
    """Say who answers."""
    return {"pid": os.getpid(), "bots": onepoller.default().status()["bots"]}


@app.post("/<int:chat_id>")
def send(chat_id: int) -> dict[str, Any]:
    """Send a message."""
    bot.send(chat_id, f"worker {os.getpid()} sends this")
    return look()
