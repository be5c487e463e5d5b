"""An ASGI app with a bot in every worker: one worker polls, every worker answers HTTP and sends.

    cd examples
    BOT_TOKEN=123456789:AA... uvicorn --workers 4 workers_uvicorn:app
    BOT_TOKEN=123456789:AA... uvicorn --reload workers_uvicorn:app
    BOT_TOKEN=123456789:AA... gunicorn --workers 4 --worker-class asgi workers_uvicorn:app

GET / says which worker answers, and whether it polls; POST /CHAT_ID has it send a message to that chat.
FastAPI, Starlette and the like have a `lifespan` argument: start and stop the bot there, with the same lines.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from telegram import Update
from telegram.error import NetworkError
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters

import onepoller
from onepoller.adapters.ptb import guard

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a message with its own text."""
    message = update.effective_message
    if message is not None and message.text is not None:
        await context.bot.send_message(message.chat_id, message.text)


def build() -> Application:
    """Build the bot of this worker."""
    root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
    builder = ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(f"{root}/bot")
    application = guard(builder).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    return application


bot = build()


async def start() -> None:
    """Start the bot. A Telegram that is away meanwhile is no reason to end a worker: try again."""
    while True:
        try:
            await bot.initialize()
            break
        except NetworkError:
            await asyncio.sleep(1)
    await bot.updater.start_polling(bootstrap_retries=-1)
    await bot.start()


def tell(task: asyncio.Task[None]) -> None:
    """Raise what a task ended with, now and not when somebody asks: a token that is wrong, for instance."""
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Run the bot beside the server. A worker that stands by is as ready as the one that polls."""
    starting = asyncio.create_task(start())
    starting.add_done_callback(tell)
    yield
    starting.cancel()
    await asyncio.wait([starting])
    if bot.updater.running:
        await bot.updater.stop()
    if bot.running:
        await bot.stop()
    await bot.shutdown()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve: this is what uvicorn calls."""
    if scope["type"] == "lifespan":
        await receive()
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        if scope["method"] == "POST":
            await bot.bot.send_message(int(scope["path"][1:]), f"worker {os.getpid()} sends this")
        answer = {"pid": os.getpid(), "bots": onepoller.default().status()["bots"]}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
