"""A pyTelegramBotAPI bot as people write it, guarded.

`--kind` threaded, unthreaded or asyncio. Orders, a line each on stdin: `stop` (`stop_polling()`; the process
lives on), `again` (`polling()` in a new thread). It says the number of each message that it has handled, and
when polling has returned. It ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import threading

import telebot
from telebot.async_telebot import AsyncTeleBot
from telebot.types import Message

import onepoller
from onepoller.adapters.telebot import guard
from tests.e2e.bots.saying import hear, obey, say


async def run_async(given: argparse.Namespace) -> None:
    """Poll in an event loop."""
    telebot.asyncio_helper.API_URL = given.api_url
    bot = guard(AsyncTeleBot(given.token))

    @bot.message_handler()  # type: ignore[no-untyped-call, untyped-decorator]  # telebot's own
    async def handle(message: Message) -> None:
        say(handled=message.message_id, by=given.name)

    obey(lambda _: None)
    if given.remove_webhook:
        await bot.remove_webhook()
    await bot.infinity_polling(timeout=given.timeout, skip_pending=given.skip_pending)
    say(returned=True)


def run(given: argparse.Namespace) -> None:
    """Poll in threads, or in none."""
    telebot.apihelper.API_URL = given.api_url
    bot = guard(telebot.TeleBot(given.token, threaded=given.kind == "threaded"))

    @bot.message_handler()  # type: ignore[untyped-decorator]  # telebot's own
    def handle(message: Message) -> None:
        say(handled=message.message_id, by=given.name)
        if given.fail_at == message.message_id:
            raise RuntimeError("as handlers do")

    def poll() -> None:
        bot.polling(non_stop=True, long_polling_timeout=given.timeout)
        say(returned=True)

    def order(words: list[str]) -> None:
        if words == ["stop"]:
            bot.stop_polling()  # type: ignore[no-untyped-call]  # telebot's own
            say(stopped=True)
        elif words == ["again"]:
            threading.Thread(target=poll, daemon=True).start()

    if given.once:
        bot.polling(non_stop=True)
    obey(order)
    if given.remove_webhook:
        bot.remove_webhook()
    bot.infinity_polling(long_polling_timeout=given.timeout, skip_pending=given.skip_pending)
    say(returned=True)
    threading.Event().wait()


def main() -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--kind", default="threaded")
    parser.add_argument("--timeout", type=int, default=2)
    parser.add_argument("--skip-pending", action="store_true")
    parser.add_argument("--remove-webhook", action="store_true")
    parser.add_argument("--fail-at", type=int, help="the handler of this message raises")
    parser.add_argument("--once", action="store_true", help="`polling()`, whose errors end the program")
    parser.add_argument("--debug", action="store_true", help="every logger says everything")
    given = parser.parse_args()
    given.api_url = f"{given.url}/_as/{given.name}/bot{{0}}/{{1}}"
    logging.basicConfig(level=logging.DEBUG if given.debug else logging.INFO)
    if given.debug:
        telebot.logger.setLevel(logging.DEBUG)
    onepoller.default().listen(hear)
    if given.kind == "asyncio":
        asyncio.run(run_async(given))
    else:
        run(given)


if __name__ == "__main__":
    main()
