"""No token anywhere but in memory: a bot goes through its worst day, and what it wrote is searched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from onepoller.testing import Control, spawn

BOT = """
import logging, sys
logging.basicConfig(level="DEBUG")
from telegram.ext import ApplicationBuilder
from onepoller.adapters.ptb import guard
token, url = sys.stdin.readline().split()
application = guard(ApplicationBuilder().token(token).base_url(url + "/bot")).build()
application.run_polling(timeout=2, bootstrap_retries=int(sys.argv[1]))
"""


def start(token: str, url: str, environment: dict[str, str], *, retries: int = 0) -> subprocess.Popen[str]:
    """A guarded PTB bot with all its logging on; the token comes by stdin, so no process list shows it."""
    bot = subprocess.Popen(
        [sys.executable, "-c", BOT, str(retries)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert bot.stdin is not None
    bot.stdin.write(f"{token} {url}\n")
    bot.stdin.flush()
    return bot


def written_below(directory: Path) -> str:
    """Everything that lies in a directory, names and contents."""
    parts = []
    for path in sorted(directory.rglob("*")):
        parts.append(str(path))
        if path.is_file():
            parts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(parts)


@pytest.fixture
def fake() -> Iterator[Control]:
    """A fake Bot API of its own: its faults would disturb others."""
    with spawn() as control:
        yield control


def test_no_token_in_logs_pages_files_or_status(canary: str, fake: Control, tmp_path: Path) -> None:
    """A rival, a webhook, a server error, a revoked token: with every logger at DEBUG."""
    bot_id, _, secret = canary.partition(":")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    environment = os.environ | {
        "ONEPOLLER_STATE_DIR": str(state),
        "ONEPOLLER_METRICS": "127.0.0.1:0",
        "ONEPOLLER_LEASE": "2",
        "ONEPOLLER_ON_RIVAL": "hold",
    }
    bot = start(canary, fake.url, environment)
    try:
        fake.wait_for(lambda r: r.is_poll and r.parked_at is not None, timeout=20)
        fake.start_rival(int(bot_id), "telebot", name="rival")
        fake.wait_for(lambda r: r.how == "conflict" and r.poller != "rival", timeout=20)
        fake.stop_rival("rival")
        fake.fault(int(bot_id), "html_502", times=1)
        seen = subprocess.run(
            [sys.executable, "-m", "onepoller", "status", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        fake.revoke(int(bot_id))
        assert bot.stdout is not None
        said = ""
        for line in bot.stdout:
            said += line
            if "refuses the token" in line:
                break
        files = written_below(state)
    finally:
        bot.terminate()
        rest, _ = bot.communicate(timeout=20)
    said += rest

    assert json.loads(seen)["bots"][0]["bot_id"] == int(bot_id)
    assert f"{bot_id}:***" in said, "the libraries' own lines were there, and are redacted"
    assert "Telegram refuses the token (401)" in said
    for where, text in {"log": said, "status": seen, "files": files}.items():
        assert secret not in text, where


def test_no_token_in_the_pages(canary: str, fake: Control, tmp_path: Path) -> None:
    """Metrics, health, readiness and status of a bot that polls."""
    bot_id, _, secret = canary.partition(":")
    environment = os.environ | {
        "ONEPOLLER_STATE_DIR": str(tmp_path),
        "ONEPOLLER_METRICS": "127.0.0.1:0",
        "ONEPOLLER_LOG_FORMAT": "json",
    }
    bot = start(canary, fake.url, environment)
    try:
        fake.wait_for(lambda r: r.is_poll and r.parked_at is not None, timeout=20)
        assert bot.stdout is not None
        address = next(
            json.loads(line)["message"].removeprefix("metrics at ").removesuffix("/metrics")
            for line in bot.stdout
            if "metrics at" in line and line.startswith("{")
        )
        pages = {
            page: httpx.get(f"{address}/{page}").text for page in ("metrics", "healthz", "readyz", "status")
        }
    finally:
        bot.terminate()
        bot.communicate(timeout=20)

    assert f'bot_id="{bot_id}"' in pages["metrics"]
    assert int(bot_id) in [row["bot_id"] for row in json.loads(pages["status"])["bots"]]
    for page, text in pages.items():
        assert secret not in text, page


def test_no_token_where_the_start_fails(canary: str, fake: Control, tmp_path: Path) -> None:
    """PTB's InvalidToken holds the whole token, and is printed by an exception hook at default settings."""
    bot_id, _, secret = canary.partition(":")
    fake.revoke(int(bot_id))
    bot = start(canary, fake.url, os.environ | {"ONEPOLLER_STATE_DIR": str(tmp_path)})
    said, _ = bot.communicate(timeout=20)

    assert bot.returncode == 1
    assert "InvalidToken" in said
    assert secret not in said
