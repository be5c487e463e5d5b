"""The examples are programs that run: each answers, and its second copy waits until the first has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onepoller.testing.botapi import Control, conflicts, spawn

BOT = 7000000001
EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.slow


@contextmanager
def example(control: Control, file: str, name: str, token: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run an example in a process of its own; its requests carry its name."""
    environment = os.environ | {"BOT_TOKEN": token, "TELEGRAM_API_ROOT": f"{control.url}/_as/{name}"}
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / file],
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("file", ["ptb_bot.py", "aiogram_bot.py", "httpx_loop.py", "sync_loop.py"])
def test_an_example_answers_and_its_second_copy_follows(file: str, canary: str) -> None:
    """One copy answers; interrupted, it makes room, and the other one answers."""
    with spawn() as control, example(control, file, "one", canary) as one:
        control.wait_for(lambda row: row.poller == "one" and row.parked_at is not None)
        with example(control, file, "two", canary):
            (made,) = control.push(BOT, 1)
            control.wait_for(lambda row: row.method == "sendmessage" and row.poller == "one")
            control.wait_for(lambda row: made.update_id in row.confirmed)
            one.send_signal(signal.SIGINT)
            one.wait(timeout=20)
            control.push(BOT, 1)
            control.wait_for(lambda row: row.method == "sendmessage" and row.poller == "two")
        rows = control.rows(BOT)

    assert len([row for row in rows if row.text]) == 2
    assert conflicts(rows) == []
