"""A python-telegram-bot application in a thread of its own, for programs without an event loop.

`workers_gunicorn.py` and `workers_flask.py` use it. Not `run_polling`: what it makes of a stop in the middle
of its start depends on the moment.
"""

import asyncio
import threading
from typing import Any

from telegram.error import NetworkError
from telegram.ext import Application

PATIENCE = 10.0
"""How long a stop or a message may take, seconds."""
RETRY = 1.0
"""A Telegram that is away while we start is no reason to end a worker: try again after so many seconds."""


class BotThread:
    """Nothing runs and nothing is open before `start`: a server may import, build and fork first."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start to poll, or to stand by; returns at once. Call it in the process that serves."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="bot", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the bot once it has started; what was fetched is confirmed, the claim is released."""
        if self._thread is not None and self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(PATIENCE)

    def send(self, chat_id: int, text: str) -> Any:
        """Send a message from any thread; every worker can, whether it polls or not."""
        assert self._loop is not None
        message = self._application.bot.send_message(chat_id, text)
        return asyncio.run_coroutine_threadsafe(message, self._loop).result(PATIENCE)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._poll())
        loop.close()

    async def _poll(self) -> None:
        application = self._application
        while True:
            try:
                await application.initialize()
                break
            except NetworkError:
                await asyncio.sleep(RETRY)
        await application.updater.start_polling(bootstrap_retries=-1)
        await application.start()
        await self._stopping.wait()
        await application.updater.stop()
        await application.stop()
        await application.shutdown()
