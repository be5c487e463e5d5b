"""An aiogram bot as people write it, guarded.

By default `start_polling` until SIGTERM. With `--by-hand` it starts and stops its polling on orders, a line
each on stdin: `start`, `stop`, `reload` (stop and start), `second` (another dispatcher, another `Bot` of the
same token), `kill-loop` (its polling tasks are cancelled behind its back), `block` (of the event loop, for
good). An update counts as handled when `--work` seconds have passed. It ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import ErrorEvent, Message, Update

import onepoller
from onepoller.adapters.aiogram import guard
from tests.e2e.bots.saying import hear, obey, say


class Polling:
    """One dispatcher and its bot. The path tells the fake server which of the pollers calls."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        server = TelegramAPIServer.from_base(f"{given.url}/_as/{given.name}")
        self._bot = guard(Bot(given.token, session=AiohttpSession(api=server, timeout=given.read_timeout)))
        self._dispatcher = Dispatcher()
        self._dispatcher.message.register(self._handle)
        self._dispatcher.errors.register(self._failed)
        self._dispatcher.startup.register(self._begun)
        self._has_begun = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def _handle(self, _: Message, event_update: Update) -> None:
        await asyncio.sleep(self._given.work)
        say(handled=event_update.update_id, by=self._given.name)

    async def _failed(self, event: ErrorEvent) -> None:
        say(failed=type(event.exception).__name__)

    async def _begun(self) -> None:
        self._has_begun.set()

    async def run(self, *, handle_signals: bool = True) -> None:
        """Poll until it is stopped."""
        await self._bot.delete_webhook()
        await self._dispatcher.start_polling(
            self._bot, polling_timeout=self._given.timeout, handle_signals=handle_signals
        )

    async def start(self) -> None:
        """Poll in a task; a dispatcher that polls already waits for the end of that."""
        self._task = asyncio.create_task(self.run(handle_signals=False))
        await self._has_begun.wait()

    async def stop(self) -> None:
        """Stop polling."""
        self._has_begun.clear()
        await self._dispatcher.stop_polling()
        if self._task is not None:
            await self._task


class ByHand:
    """Dispatchers that are started and stopped on orders, one after the other."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._all = [Polling(given)]

    async def run(self) -> None:
        """Obey for ever."""
        loop = asyncio.get_running_loop()
        obey(lambda words: loop.call_soon_threadsafe(self._orders.put_nowait, words[0]))
        await self._all[0].start()
        while True:
            order = await self._orders.get()
            await self._obey(order)
            say(done=order)

    async def _obey(self, order: str) -> None:
        match order:
            case "start":
                await self._all[0].start()
            case "stop":
                await self._all[0].stop()
            case "reload":
                await self._all[0].stop()
                await self._all[0].start()
            case "second":
                self._all.append(Polling(self._given))
                await self._all[-1].start()
            case "block":
                time.sleep(3600)  # noqa: ASYNC251  # that is the point
            case "kill-loop":
                for task in asyncio.all_tasks():
                    if "Dispatcher._polling" in repr(task.get_coro()):
                        task.cancel()


async def poll(given: argparse.Namespace) -> None:
    """Poll until SIGTERM."""
    await Polling(given).run()


def main() -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--timeout", type=int, default=2)
    parser.add_argument("--read-timeout", type=float, default=5.0)
    parser.add_argument("--work", type=float, default=0.0)
    parser.add_argument("--by-hand", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    onepoller.default().listen(hear)
    if given.by_hand:
        asyncio.run(ByHand(given).run())
        return
    obey(lambda _: None)
    asyncio.run(poll(given))


if __name__ == "__main__":
    main()
