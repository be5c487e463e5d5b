"""pyTelegramBotAPI: `guard(bot)`, and a `TeleBot` or `AsyncTeleBot` polls only in its turn.

It takes the place of public methods on that bot: `get_updates`, the webhook calls, and those that say that
polling has ended. No private name is used. In standby `get_updates` takes its time and brings no updates.

A `TeleBot` cannot end a poll that is open: `stop_polling()` ends its wait in standby at once, but a poll that
is at Telegram lasts as long as it asked for, and a handover waits for it. What such a poll brings after
`stop_polling()`, or after another polling thread has taken its place, is left at Telegram for the next poll.
telebot never confirms the batch in whose handling it is stopped: without threads that batch comes again.
"""

from __future__ import annotations

from typing import TypeVar

from telebot import TeleBot
from telebot.async_telebot import AsyncTeleBot

from onepoller import process
from onepoller.adapters.telebot.asynchronous import AsyncBot
from onepoller.adapters.telebot.bot import Method
from onepoller.adapters.telebot.synchronous import SyncBot

__all__ = ["guard"]
_Bot = TypeVar("_Bot", bound=TeleBot | AsyncTeleBot)


def guard(bot: _Bot, poller: process.OnePoller | None = None) -> _Bot:
    """Guard a bot; returns it. Once for each bot, before polling starts.

    `poller` None: the one of this process (`onepoller.default()`).
    Raises SetupError where the settings or the installed pyTelegramBotAPI do not fit.
    """
    (poller or process.default()).prepare()  # wrong settings are told here, never inside a retry loop
    if not isinstance(getattr(bot, "get_updates", None), Method):
        (AsyncBot if isinstance(bot, AsyncTeleBot) else SyncBot)(bot, poller).take_place()
    return bot
