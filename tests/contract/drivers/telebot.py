"""pyTelegramBotAPI: a TeleBot with threads and without, and an AsyncTeleBot."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
from collections.abc import Mapping
from typing import Any

from telebot import ExceptionHandler, TeleBot, apihelper, asyncio_helper
from telebot.async_telebot import AsyncTeleBot
from telebot.async_telebot import ExceptionHandler as AsyncExceptionHandler
from telebot.types import Message, Update

from onepoller import OnePoller
from onepoller.adapters.telebot import guard
from tests.contract.driver import SLACK, TIMEOUT, Notes, Running

_POLL = 1
"""Of each poll of a TeleBot, seconds: it waits 5 s longer for an answer, whatever it is told."""
_root = contextvars.ContextVar("root", default="https://api.telegram.org")


class ApiUrl(str):
    """telebot has one URL for all bots of a process; here each task or thread has its own."""

    __slots__ = ()

    def format(self, *parts: object) -> str:  # type: ignore[override]  # it is all that telebot does with it
        """The URL of a method."""
        return f"{_root.get()}/bot{parts[0]}/{parts[1]}"


class Hearing(ExceptionHandler):
    """Writes down what telebot says of errors, and lets it go on at once."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def handle(self, exception: Exception) -> bool:
        """Hear it."""
        told = re.sub("0x[0-9a-f]+", "*", str(exception))  # where an object lies in memory
        self._notes.hear(f"{type(exception).__name__}: {told}")
        return True


class AsyncHearing(AsyncExceptionHandler):
    """The same for an AsyncTeleBot."""

    def __init__(self, notes: Notes) -> None:
        self._hearing = Hearing(notes)

    async def handle(self, exception: Exception) -> bool:
        """Hear it."""
        return self._hearing.handle(exception)


class Numbers:
    """The update of each message: handlers see the message alone."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self._update_of: dict[int, int] = {}

    def note(self, updates: list[Update]) -> None:
        """These are about to be handled."""
        self._update_of |= {u.message.message_id: u.update_id for u in updates if u.message}

    def handled(self, message: Message) -> None:
        """It was."""
        self.notes.handle(self._update_of[message.message_id])


class Sync(TeleBot):
    """A TeleBot whose threads all know its URL."""

    def __init__(self, token: str, *, url: str, numbers: Numbers, threaded: bool) -> None:
        hearing = Hearing(numbers.notes)
        super().__init__(token, threaded=threaded, num_threads=1, exception_handler=hearing)
        self.url = url
        self.numbers = numbers

    def get_updates(self, *args: Any, **kwargs: Any) -> list[Update]:
        _root.set(self.url)  # telebot's own threads know of no context
        return super().get_updates(*args, **kwargs)

    def process_new_updates(self, updates: list[Update]) -> None:
        self.numbers.note(updates)
        super().process_new_updates(updates)


class SyncBot:
    """A thread that runs a TeleBot."""

    def __init__(self, bot: Sync, notes: Notes) -> None:
        self.notes = notes
        self._bot = bot
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,))
        self._thread.start()

    def _run(self) -> None:
        self._bot.polling(non_stop=True, timeout=int(TIMEOUT + SLACK), long_polling_timeout=_POLL)

    async def stop(self) -> None:
        """Stop polling; a poll that is open is answered first."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        while self._thread.is_alive():  # telebot forgets a stop that comes before its loop has begun
            self._bot.stop_bot()  # type: ignore[no-untyped-call]  # telebot's own
            self._thread.join(0.1)


class Telebot:
    """The driver of a TeleBot."""

    dies_of: frozenset[str] = frozenset()
    instead: Mapping[str, list[str]] = {}

    def __init__(self, name: str, *, threaded: bool) -> None:
        self.name = name
        self._threaded = threaded

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Delete the webhook, then poll."""
        apihelper.API_URL = ApiUrl("as the context says")  # type: ignore[assignment]  # None is the default
        notes = Notes()
        numbers = Numbers(notes)
        _root.set(url)
        bot = Sync(token, url=url, numbers=numbers, threaded=self._threaded)
        if poller is not None:
            guard(bot, poller)
        bot.register_message_handler(numbers.handled)
        await asyncio.to_thread(bot.delete_webhook, drop_pending_updates=drop)
        return SyncBot(bot, notes)


class Async(AsyncTeleBot):
    """An AsyncTeleBot."""

    living = 0
    """All have one session; the last closes it."""

    def __init__(self, token: str, *, numbers: Numbers) -> None:
        super().__init__(token, exception_handler=AsyncHearing(numbers.notes))
        self.numbers = numbers

    async def process_new_updates(self, updates: list[Update]) -> None:
        self.numbers.note(updates)
        await super().process_new_updates(updates)

    async def close_session(self) -> None:  # type: ignore[override]  # telebot's is static
        if not Async.living:
            await super().close_session()  # type: ignore[no-untyped-call]  # static since some release after 4.19


class AsyncBot:
    """A task that polls."""

    def __init__(self, bot: Async, notes: Notes) -> None:
        self.notes = notes
        Async.living += 1
        self._task = asyncio.create_task(
            bot.polling(non_stop=True, timeout=TIMEOUT, request_timeout=int(TIMEOUT + SLACK))
        )
        self._is_over = False

    async def stop(self) -> None:
        """Cancel the task."""
        if self._is_over:
            return
        self._is_over = True
        Async.living -= 1
        self._task.cancel()
        await asyncio.wait((self._task,))


class AsyncTelebot:
    """The driver of an AsyncTeleBot."""

    name = "telebot, async"
    dies_of: frozenset[str] = frozenset()
    instead: Mapping[str, list[str]] = {}

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Delete the webhook, then poll."""
        asyncio_helper.API_URL = ApiUrl("as the context says")
        notes = Notes()
        numbers = Numbers(notes)
        _root.set(url)
        bot = Async(token, numbers=numbers)
        if poller is not None:
            guard(bot, poller)

        async def handle(message: Message) -> None:
            numbers.handled(message)

        bot.register_message_handler(handle)
        try:
            await bot.delete_webhook(drop_pending_updates=drop)
        except Exception:
            await bot.close_session()
            raise
        return AsyncBot(bot, notes)
