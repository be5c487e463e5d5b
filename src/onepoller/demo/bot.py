"""One bot of the demo, a program of its own: python-telegram-bot as people use it; `--guarded` adds one line.

It waits for a line on its stdin before it starts, so that its imports are over when an act begins, and ends
itself when its stdin is closed: nobody outlives the demo. On stdout it says, a JSON object a line, what it
handled and what onepoller told it. The token comes in the environment, where no process list shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from typing import Any

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters
from telegram.request import HTTPXRequest

import onepoller
from onepoller.adapters.ptb import guard
from onepoller.coordination import events
from onepoller.demo import leash
from onepoller.demo.terms import LOG_PREFIX, TOKEN

AnyApplication = Application[Any, Any, Any, Any, Any, Any]
AnyBuilder = ApplicationBuilder[Any, Any, Any, Any, Any, Any]


def say(**fields: Any) -> None:
    """Tell the demo; one write, so that a kill leaves whole lines."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def application(token: str, url: str, name: str, *, is_guarded: bool, work: float) -> AnyApplication:
    """Build the bot. The header tells the fake server which of the pollers calls."""
    builder = ApplicationBuilder().token(token).base_url(f"{url}/bot")
    polling = HTTPXRequest(connection_pool_size=1, httpx_kwargs={"headers": {"X-Poller": name}})
    builder.get_updates_request(polling)
    if is_guarded:
        guard_it(builder)

    async def handle(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        await asyncio.sleep(work)
        say(handled=update.update_id)

    built = builder.build()
    built.add_handler(MessageHandler(filters.ALL, handle))
    return built


def guard_it(builder: AnyBuilder) -> None:
    """Put onepoller between the framework and getUpdates, and hear what it says."""

    def hear(event: events.Event) -> None:
        match event:
            case events.RoleChanged(role=role):
                say(role=role.label)
            case events.EpisodeOpened(kind=kind, stands_by=stands_by):
                say(opened=str(kind), stands_by=stands_by)
            case events.StoodBy():
                say(stands_by=True)
            case events.EpisodeClosed(kind=kind, resolution=resolution, seconds=seconds, conflicts=conflicts):
                say(closed=str(kind), resolution=resolution, seconds=seconds, conflicts=conflicts)
            case _:
                pass

    onepoller.default().listen(hear)
    guard(builder)


def main() -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--work", type=float, default=0.0, help="seconds that a message takes to handle")
    given = parser.parse_args()
    logging.basicConfig(format=f"{LOG_PREFIX}%(levelname)s %(name)s %(message)s")
    bot = application(os.environ.pop(TOKEN), given.url, given.name, is_guarded=given.guarded, work=given.work)
    say(ready=True)
    if not sys.stdin.readline():
        return
    leash.hold()
    bot.run_polling()


if __name__ == "__main__":
    main()
