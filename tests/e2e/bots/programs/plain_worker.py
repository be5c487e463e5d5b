"""An ASGI app with a plain python-telegram-bot in every worker: nothing in it knows of onepoller.

`PROXY` is the base URL of its library. POST /CHAT_ID has it send a message to that chat; its answers to
messages begin with its pid.
"""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a message with its own text, and who answers."""
    message = update.effective_message
    if message is not None and message.text is not None:
        await context.bot.send_message(message.chat_id, f"{os.getpid()} answers {message.text}")


bot = ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(f"{os.environ['PROXY']}/bot").build()
bot.add_handler(MessageHandler(filters.TEXT, echo))


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Run the bot beside the server."""
    assert bot.updater is not None
    async with bot:
        await bot.start()
        await bot.updater.start_polling()
        yield
        await bot.updater.stop()
        await bot.stop()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve."""
    if scope["type"] == "lifespan":
        await receive()
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        await bot.bot.send_message(int(scope["path"][1:]), f"worker {os.getpid()} sends this")
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps({"pid": os.getpid()}).encode()})
