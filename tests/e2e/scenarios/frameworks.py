"""What a scenario is run with: programs of every adapter, and plain PTB behind a proxy of its own."""

from __future__ import annotations

import signal
from typing import Any

from tests.e2e.bots.at_server import PATIENCE
from tests.e2e.bots.processes import Bot, Bots
from tests.e2e.proxy.sidecars import Sidecar, Sidecars

FRAMEWORKS = ("ptb", "aiogram")
"""The guarded ones that take all orders."""
LOOPS = ("telebot", "async-telebot", "httpx")
"""Guarded too: `bots/by_hand.py`, where start, stop, reload and second are orders, and no more."""
PROXY = "proxy"
"""An unmodified PTB application whose base URL is its sidecar's."""
EVERYBODY = (*FRAMEWORKS, *LOOPS, PROXY)


class Pair:
    """A bot that knows nothing of onepoller and its sidecar: to a test one bot."""

    def __init__(self, bot: Bot, proxy: Sidecar) -> None:
        self.name = bot.name
        self.bot = bot
        self.proxy = proxy

    def __getattr__(self, name: str) -> Any:
        """What it handled, said and does is the bot's."""
        return getattr(self.bot, name)

    @property
    def log(self) -> str:
        """Of both."""
        return self.bot.log + self.proxy.log

    def kill(self) -> None:
        """Send SIGKILL to both."""
        self.bot.kill()
        self.proxy.kill()

    def ended(self, *, timeout: float = PATIENCE) -> int:
        """Wait until the bot has ended, then stop its sidecar, as orchestrators do; the worse exit code."""
        return self.bot.ended(timeout=timeout) or self.proxy.stop()


class Cast:
    """Starts the bots of a scenario."""

    def __init__(self, bots: Bots, sidecars: Sidecars) -> None:
        self._bots = bots
        self._sidecars = sidecars

    def start(self, kind: str, name: str, *options: str, **settings: Any) -> Any:
        """Start a bot of this kind, guarded or behind a proxy: a `Bot` or a `Pair`."""
        if kind == PROXY:
            proxy = self._sidecars.proxy(**settings)
            return Pair(self._bots.start("ptb", name, "--plain", *options, url=proxy.url), proxy)
        if kind in LOOPS:
            options = ("--kind", kind, *[option for option in options if option != "--by-hand"])
            return self._bots.start("by hand", name, *options, **settings)
        return self._bots.start(kind, name, *options, **settings)


def wait_standby(bot: Any) -> None:
    """Wait until it stands by."""
    if isinstance(bot, Pair):
        bot.proxy.wait_logged("standing by")
    else:
        bot.wait_said(role="standby")


def wait_called(bot: Any, *, timeout: float) -> None:
    """Wait until it has called for the first time: what a start of the interpreter costs is over then."""
    if isinstance(bot, Pair):
        bot.proxy.wait_logged("polling bot", "standing by", timeout=timeout)
    else:
        bot.wait_said(session="opened", timeout=timeout)


def terminate(bot: Any) -> int:
    """Send SIGTERM and wait for the end; the exit code."""
    bot.send(signal.SIGTERM)
    code: int = bot.ended(timeout=30)
    return code
