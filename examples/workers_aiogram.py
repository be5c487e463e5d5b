"""The same with aiogram: a bot in every worker of an ASGI server, one of them polls.

    cd examples
    BOT_TOKEN=123456789:AA... uvicorn --workers 4 workers_aiogram:app

GET / says which worker answers, and whether it polls; POST /CHAT_ID has it send a message to that chat.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError, TelegramServerError
from aiogram.types import Message

import onepoller
from onepoller.adapters.aiogram import guard

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
bot = guard(Bot(os.environ["BOT_TOKEN"], AiohttpSession(api=TelegramAPIServer.from_base(root))))
dispatcher = Dispatcher()


@dispatcher.message()
async def echo(message: Message) -> None:
    """Answer a message with its own text."""
    await message.answer(message.text or "?")


async def poll() -> None:
    """Poll, or stand by. A Telegram that is away at the start is no reason to be deaf for good: try again."""
    while True:
        try:
            await bot.me()  # what `start_polling` asks first, and gives up after
            break
        except (TelegramNetworkError, TelegramServerError):
            await asyncio.sleep(1)
    await dispatcher.start_polling(bot, handle_signals=False)


def tell(task: asyncio.Task[None]) -> None:
    """Raise what a task ended with, now and not when somebody asks: a token that is wrong, for instance."""
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Run the bot beside the server, which has the signals."""
    polling = asyncio.create_task(poll())
    polling.add_done_callback(tell)
    yield
    try:
        await dispatcher.stop_polling()
    except RuntimeError:  # it has not begun
        polling.cancel()
    await asyncio.wait([polling])
    await bot.session.close()


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
            await bot.send_message(int(scope["path"][1:]), f"worker {os.getpid()} sends this")
        answer = {"pid": os.getpid(), "bots": onepoller.default().status()["bots"]}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
