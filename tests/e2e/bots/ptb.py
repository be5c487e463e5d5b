"""A python-telegram-bot application as people write it, guarded.

By default `run_polling`. With `--by-hand` it starts and stops its updater on orders, a line each on stdin:
`start`, `stop`, `reload` (stop and start), `second` (another application of the same bot beside the first),
`kill-loop` (its polling task is cancelled behind its back), `block` (of the event loop, for good). An update
counts as handled when `--work` seconds have passed. It ends with its stdin. With `--plain` it knows nothing
of onepoller.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from typing import Any

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters
from telegram.request import HTTPXRequest

import onepoller
from onepoller.adapters.ptb import guard
from tests.e2e.bots.saying import hear, obey, say

AnyApplication = Application[Any, Any, Any, Any, Any, Any]


def application(given: argparse.Namespace, name: str) -> AnyApplication:
    """Build a guarded bot. The header tells the fake server which of the pollers calls."""
    polling = HTTPXRequest(
        connection_pool_size=1, read_timeout=given.read_timeout, httpx_kwargs={"headers": {"X-Poller": name}}
    )
    builder = (
        ApplicationBuilder().token(given.token).base_url(f"{given.url}/bot").get_updates_request(polling)
    )
    if not given.plain:
        guard(builder)

    async def handle(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        await asyncio.sleep(given.work)
        say(handled=update.update_id, by=name)

    async def failed(_: object, context: ContextTypes.DEFAULT_TYPE) -> None:
        say(failed=type(context.error).__name__)

    built = builder.build()
    built.add_handler(MessageHandler(filters.ALL, handle))
    built.add_error_handler(failed)
    return built


class ByHand:
    """An application that is started and stopped on orders, one after the other."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._applications = [application(given, given.name)]

    async def run(self) -> None:
        """Obey for ever."""
        loop = asyncio.get_running_loop()
        obey(lambda words: loop.call_soon_threadsafe(self._orders.put_nowait, words[0]))
        await self._begin(self._applications[0])
        while True:
            order = await self._orders.get()
            try:
                await self._obey(order)
            except RuntimeError as error:
                say(raised=str(error))
            say(done=order)

    async def _obey(self, order: str) -> None:
        updater = self._applications[0].updater
        assert updater is not None
        match order:
            case "start":
                await updater.start_polling(timeout=self._given.timeout)
            case "stop":
                await updater.stop()
            case "reload":
                await updater.stop()
                await updater.start_polling(timeout=self._given.timeout)
            case "second":
                self._applications.append(application(self._given, self._given.name))
                await self._begin(self._applications[-1])
            case "block":
                time.sleep(3600)  # noqa: ASYNC251  # that is the point
            case "kill-loop":
                for task in asyncio.all_tasks():
                    if "polling_task" in task.get_name():
                        task.cancel()

    async def _begin(self, built: AnyApplication) -> None:
        await built.initialize()
        await built.start()
        assert built.updater is not None
        await built.updater.start_polling(timeout=self._given.timeout)


def main(arguments: list[str] | None = None) -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--timeout", type=int, default=2)
    parser.add_argument("--read-timeout", type=float, default=5.0)
    parser.add_argument("--work", type=float, default=0.0)
    parser.add_argument("--by-hand", action="store_true")
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    if not given.plain:
        onepoller.default().listen(hear)
    if given.by_hand:
        asyncio.run(ByHand(given).run())
        return
    obey(lambda _: None)
    application(given, given.name).run_polling(timeout=given.timeout)


if __name__ == "__main__":
    main()
