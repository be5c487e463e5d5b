"""Guarded bots that are started and stopped on orders: a TeleBot, an AsyncTeleBot, a loop over httpx.

`--kind` telebot, async-telebot, httpx. It deletes the webhook and polls, as its likes do. Orders, a line each
on stdin: `start` (once more), `stop`, `reload` (stop and start), `second` (another bot of the same token
beside the first). SIGTERM stops it well. It tells the ids of the updates that it handles and ends with its
stdin.
"""

# ruff: noqa: PLC0415  # each kind imports its own library
from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import threading
from typing import Any, Protocol

import onepoller
from tests.e2e.bots.saying import hear, obey, say


class Polling(Protocol):
    """One bot."""

    async def delete_webhook(self) -> None:
        """As starts do."""
        ...

    def start(self) -> None:
        """Poll, whether it polls already or not."""
        ...

    async def stop(self) -> None:
        """Poll no more."""
        ...

    async def close(self) -> None:
        """End what is open."""
        ...


class Threads:
    """A TeleBot: each start is a thread, as it is a call of `polling()` that lasts."""

    def __init__(self, given: argparse.Namespace) -> None:
        import telebot

        from onepoller.adapters.telebot import guard

        class Told(telebot.TeleBot):
            def process_new_updates(self, updates: list[telebot.types.Update]) -> None:
                super().process_new_updates(updates)
                tell(updates, given.name)

        telebot.apihelper.API_URL = f"{given.url}/_as/{given.name}/bot{{0}}/{{1}}"  # type: ignore[assignment]  # as its README has it
        self._bot = guard(Told(given.token))
        self._timeout = given.timeout
        self._threads: list[threading.Thread] = []

    async def delete_webhook(self) -> None:
        await asyncio.to_thread(self._bot.delete_webhook)

    def start(self) -> None:
        options = {"non_stop": True, "long_polling_timeout": self._timeout}
        self._threads.append(threading.Thread(target=self._bot.polling, kwargs=options, daemon=True))
        self._threads[-1].start()

    async def stop(self) -> None:
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        while any(thread.is_alive() for thread in self._threads):
            self._bot.stop_polling()  # type: ignore[no-untyped-call]  # telebot's own; it forgets an early one
            self._threads[0].join(0.05)
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    async def close(self) -> None:
        await asyncio.to_thread(self._bot.stop_bot)


class Tasks:
    """Bots of which each start is a task."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Poll in a task."""
        self._tasks.append(asyncio.create_task(self.poll()))

    async def poll(self) -> None:
        """Poll until cancelled."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Cancel all tasks."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class AsyncTelebot(Tasks):
    """An AsyncTeleBot."""

    def __init__(self, given: argparse.Namespace) -> None:
        super().__init__()
        from telebot import asyncio_helper, types
        from telebot.async_telebot import AsyncTeleBot

        from onepoller.adapters.telebot import guard

        class Told(AsyncTeleBot):
            async def process_new_updates(self, updates: list[types.Update]) -> None:
                await super().process_new_updates(updates)
                tell(updates, given.name)

        asyncio_helper.API_URL = f"{given.url}/_as/{given.name}/bot{{0}}/{{1}}"
        self._bot = guard(Told(given.token))
        self._given = given

    async def delete_webhook(self) -> None:
        await self._bot.delete_webhook()

    async def poll(self) -> None:
        timeout = self._given.timeout
        patience = int(timeout + self._given.read_timeout)
        await self._bot.polling(non_stop=True, timeout=timeout, request_timeout=patience)

    async def close(self) -> None:
        await self._bot.close_session()  # type: ignore[no-untyped-call]  # telebot's own


class Httpx(Tasks):
    """A loop over a client of its own, which handles a message before it polls again."""

    def __init__(self, given: argparse.Namespace) -> None:
        super().__init__()
        import httpx

        from onepoller.adapters.transport import AsyncGuardedTransport

        self._given = given
        self._offset = 0
        self._errors = httpx.HTTPError
        self._client = httpx.AsyncClient(
            base_url=f"{given.url}/_as/{given.name}/bot{given.token}/",
            transport=AsyncGuardedTransport(),
            timeout=given.timeout + given.read_timeout,
            trust_env=False,
        )

    async def delete_webhook(self) -> None:
        await self._call("deleteWebhook")

    async def _call(self, method: str, **parameters: Any) -> Any:
        body = (await self._client.post(method, json=parameters)).json()
        if not body["ok"]:
            raise RuntimeError(body["description"])
        return body["result"]

    async def poll(self) -> None:
        while True:
            try:
                updates = await self._call("getUpdates", offset=self._offset, timeout=self._given.timeout)
            except self._errors as error:
                say(failed=type(error).__name__)
                continue
            for update in updates:
                self._offset = update["update_id"] + 1
                say(handled=update["update_id"], by=self._given.name)

    async def close(self) -> None:
        await self._client.aclose()


def tell(updates: list[Any], name: str) -> None:
    """These have been handled."""
    for update in updates:
        say(handled=update.update_id, by=name)


KINDS: dict[str, type[Threads | AsyncTelebot | Httpx]] = {
    "telebot": Threads,
    "async-telebot": AsyncTelebot,
    "httpx": Httpx,
}


async def run(given: argparse.Namespace) -> None:
    """Poll, and obey until SIGTERM."""
    orders: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, orders.put_nowait, "end")
    obey(lambda words: loop.call_soon_threadsafe(orders.put_nowait, words[0]))
    bots: list[Polling] = [KINDS[given.kind](given)]
    await bots[0].delete_webhook()
    bots[0].start()
    while (order := await orders.get()) != "end":
        if order in {"stop", "reload"}:
            await bots[0].stop()
        if order == "second":
            bots.append(KINDS[given.kind](given))
        if order != "stop":
            bots[-1].start()
        say(done=order)
    for bot in bots:
        await bot.stop()
        await bot.close()


def main() -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--timeout", type=int, default=2)
    parser.add_argument("--read-timeout", type=float, default=5.0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    onepoller.default().listen(hear)
    asyncio.run(run(given))


if __name__ == "__main__":
    main()
