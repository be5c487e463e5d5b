"""A WSGI app with a bot in every worker: one worker polls, every worker answers HTTP and sends.

    cd examples
    BOT_TOKEN=123456789:AA... gunicorn --workers 4 --config workers_gunicorn_conf.py workers_gunicorn:app

The bot runs in a thread of each worker; the hooks of `workers_gunicorn_conf.py` start and stop it. With
`--preload`, with `--reload` and on HUP nothing changes. GET / says which worker answers, and whether it
polls; POST /CHAT_ID has it send a message to that chat.
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from bot_thread import BotThread
from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

import onepoller
from onepoller.adapters.ptb import guard


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a message with its own text."""
    message = update.effective_message
    if message is not None and message.text is not None:
        await context.bot.send_message(message.chat_id, message.text)


root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
application = guard(ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(f"{root}/bot")).build()
application.add_handler(MessageHandler(filters.TEXT, echo))
bot = BotThread(application)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve: this is what gunicorn calls."""
    if environ["REQUEST_METHOD"] == "POST":
        bot.send(int(environ["PATH_INFO"][1:]), f"worker {os.getpid()} sends this")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "bots": onepoller.default().status()["bots"]}).encode()]
