"""The public API in use. Never run: the type checker reads it, so that a change of types is seen."""

from typing import Any, assert_type

import aiogram
import httpx
from telebot import TeleBot
from telebot.async_telebot import AsyncTeleBot
from telegram import Bot
from telegram.ext import Application, ApplicationBuilder, CallbackContext, ExtBot, JobQueue
from telegram.request import HTTPXRequest

from onepoller import OnePoller, default
from onepoller.adapters import aiogram as guarded_aiogram
from onepoller.adapters import telebot as guarded_telebot
from onepoller.adapters.ptb import GuardedRequest, guard
from onepoller.adapters.transport import AsyncGuardedTransport, GuardedTransport

Context = CallbackContext[ExtBot[None], dict[Any, Any], dict[Any, Any], dict[Any, Any]]
Plain = Application[ExtBot[None], Context, dict[Any, Any], dict[Any, Any], dict[Any, Any], JobQueue[Context]]


def python_telegram_bot(token: str, poller: OnePoller) -> None:
    """A guarded builder is still that builder, a guarded application still that application."""
    builder = ApplicationBuilder().token(token)
    application: Plain = guard(builder, poller).build()
    again: Plain = guard(application)
    again.run_polling()
    request = GuardedRequest(HTTPXRequest(), poller)
    Bot(token, request=request, get_updates_request=GuardedRequest(HTTPXRequest()))


class OwnBot(aiogram.Bot):
    """A subclass of one's own."""


async def an_aiogram_bot(token: str, poller: OnePoller) -> None:
    """A guarded bot is still that bot."""
    bot = guarded_aiogram.guard(OwnBot(token), poller)
    assert_type(bot, OwnBot)
    await aiogram.Dispatcher().start_polling(bot, guarded_aiogram.guard(aiogram.Bot(token)))


def a_telebot(token: str, poller: OnePoller) -> None:
    """With threads or asynchronous: a guarded bot is still that bot."""
    assert_type(guarded_telebot.guard(TeleBot(token), poller), TeleBot)
    assert_type(guarded_telebot.guard(AsyncTeleBot(token)), AsyncTeleBot)


def loops_over_httpx(poller: OnePoller) -> None:
    """The transports go where httpx takes one."""
    httpx.Client(transport=GuardedTransport())
    httpx.Client(transport=GuardedTransport(httpx.HTTPTransport(retries=1), poller))
    httpx.AsyncClient(transport=AsyncGuardedTransport())
    httpx.AsyncClient(transport=AsyncGuardedTransport(httpx.AsyncHTTPTransport(http2=True), poller))


async def any_client() -> None:
    """A function that performs one method is enough."""

    async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "result": [method, parameters]}

    assert_type(await default().get_updates(1, call, timeout=30), dict[str, Any])


def any_synchronous_client() -> None:
    """The same without an event loop."""

    def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "result": [method, parameters]}

    with OnePoller(label="blue", on_rival="hold") as poller:
        assert_type(poller.get_updates_sync(1, call, timeout=30, offset=7), dict[str, Any])
