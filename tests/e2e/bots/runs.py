"""`onepoller run` as processes, each with a bot that nobody changed as its child."""

from __future__ import annotations

import sys
from pathlib import Path

from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import PROGRAMS, Bot, Bots

UNGUARDED = str(PROGRAMS / "unguarded.py")
PTB = """
import sys
from telegram.ext import ApplicationBuilder, MessageHandler, filters
from tests.e2e.bots.saying import say

async def handle(update, _):
    say(handled=update.update_id, by=sys.argv[1])

async def begun(_):
    say(began=sys.argv[1])

root = f"{sys.argv[2]}/_as/{sys.argv[1]}/bot"
app = ApplicationBuilder().token(sys.argv[3]).base_url(root).post_init(begun).build()
app.add_handler(MessageHandler(filters.TEXT, handle))
app.run_polling(timeout=2)
"""
BY_SHELL = 'trap "exit 0" TERM; "$@" & wait'
"""A wrapper script: the bot is a grandchild."""


class Runs:
    """Starts `onepoller run` with a bot as its child."""

    def __init__(self, bots: Bots, folder: Path) -> None:
        self._bots = bots
        self._folder = folder

    def start(
        self, name: str, *options: str, kind: str = "raw", run: str = "", before: str = "", **settings: object
    ) -> Bot:
        """Start one; `options` are the bot's, `run` those of the command line."""
        telegram = self._bots.telegram
        child = [sys.executable, *(["-c", PTB] if kind == "ptb" else [UNGUARDED])]
        child += [name, telegram.url, telegram.token, *options]
        if kind == "shell":
            child = ["sh", "-c", BY_SHELL, "sh", *child]
        return self.command(name, child, run=run, before=before, **settings)

    def command(
        self, name: str, child: list[str], *, run: str = "", before: str = "", **settings: object
    ) -> Bot:
        """Start one with any child."""
        bot_id = str(self._bots.telegram.bot_id)
        ours = [sys.executable, "-m", "onepoller", "run", "--bot", bot_id, *run.split(), "--"]
        environment = self._bots.environment({"label": name} | settings)
        log = self._folder / f"run-{name}.log"
        bot = Bot(name, [*before.split(), *ours, *child], environment, log)
        self._bots._all.append(bot)
        return bot


def pid_of(run: Bot) -> int:
    """The bot's own process; its poll may be seen before its first words are."""
    run.wait(lambda bot: any("began" in said for said in bot.said))
    return int(next(said["pid"] for said in reversed(run.said) if "began" in said))


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that somebody else has to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def in_standby(run: Bot) -> None:
    """Wait until it says that it stands by."""
    run.wait(lambda bot: "standing by" in bot.log)


def assert_undisturbed(telegram: Telegram) -> None:
    """Nobody ever saw a 409, and no two polls overlapped."""
    rows = telegram.rows()
    assert (overlaps(rows), conflicts(rows)) == ([], [])


VIA_PROXY = 'sleep "$5"; exec "$1" "$2" "$3" "$TELEGRAM_API_ROOT" "$4"'
"""The bot takes the root of the Bot API from the variable, and its time to start."""


def start_behind_proxy(
    runs: Runs, telegram: Telegram, name: str, *, run: str = "", starting: float = 0.0, **settings: object
) -> Bot:
    """Start a `run --proxy` whose bot polls through it, after so many seconds."""
    child = ["sh", "-c", VIA_PROXY, "sh", sys.executable, UNGUARDED, name, telegram.token, str(starting)]
    ours = f"--proxy --api-root {telegram.url} {run}"
    return runs.command(name, child, run=ours, before="", **settings)
