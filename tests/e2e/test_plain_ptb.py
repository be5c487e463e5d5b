"""Unmodified python-telegram-bot processes against the fake: what the problem looks like without us."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import Control, delivered, overlaps, spawn

if TYPE_CHECKING:
    from onepoller.testing.botapi import Row

BOT = 123456789
TOKEN = f"{BOT}:" + "A" * 35

TOLD = "telegram.error.Conflict: Conflict: terminated by other getUpdates request"

ECHO = """
import sys
from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("echo " + update.message.text)

app = ApplicationBuilder().token(sys.argv[2]).base_url(sys.argv[1]).build()
app.add_handler(MessageHandler(filters.TEXT, echo))
app.run_polling()
"""


@contextmanager
def echo_bot(control: Control, name: str) -> Iterator[subprocess.Popen[str]]:
    """Run a plain bot that answers every message; its requests carry its name."""
    command = [sys.executable, "-c", ECHO, f"{control.url}/_as/{name}/bot", TOKEN]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def is_evicted(row: Row, name: str) -> bool:
    """Say whether a poll of this bot was answered 409 while its client listened."""
    return row.poller == name and row.how == "conflict" and not row.is_ghost


@pytest.mark.slow
def test_a_plain_bot_is_served_confirms_and_stops() -> None:
    """It deletes the webhook, gets each message once, confirms by offset, and ends well on SIGTERM."""
    with spawn() as control, echo_bot(control, "a") as process:
        ids = [made.update_id for made in control.push(BOT, 3)]
        control.wait_for(lambda row: row.text == "echo 3")
        control.wait_for(lambda row: ids[-1] in row.confirmed)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        rows = control.rows(BOT)

    assert (process.returncode, errors) == (0, "")
    assert [row.method for row in rows[:3]] == ["getme", "deletewebhook", "getupdates"]
    assert delivered(rows) == {"a": ids}
    assert [update for row in rows for update in row.confirmed] == ids
    assert [row.text for row in rows if row.text] == ["echo 1", "echo 2", "echo 3"]


@pytest.mark.slow
def test_two_plain_bots_evict_each_other_and_say_so_in_tracebacks() -> None:
    """Each is answered 409 while it lives; each prints it."""
    with spawn() as control, echo_bot(control, "a") as one:
        control.wait_for(lambda row: row.poller == "a" and row.parked_at is not None)
        with echo_bot(control, "b") as two:
            control.wait_for(lambda row: is_evicted(row, "a"))
            control.wait_for(lambda row: is_evicted(row, "b"))
            for process in (one, two):
                process.send_signal(signal.SIGTERM)
            told = [process.communicate(timeout=30)[1] for process in (one, two)]
        rows = control.rows(BOT)

    assert overlaps(rows)[0].is_parking
    assert [TOLD in text for text in told] == [True, True]
