"""Scenario 12, its last clause, with aiogram: no token in any line. With PTB: `tests/e2e/test_canary.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onepoller.testing import spawn

pytestmark = pytest.mark.slow
BOT = """
import asyncio, logging, sys
logging.basicConfig(level="DEBUG")
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from onepoller.adapters.aiogram import guard

async def main():
    token, url = sys.stdin.readline().split()
    session = AiohttpSession(api=TelegramAPIServer.from_base(url), timeout=1)
    bot = guard(Bot(token, session=session))
    print(repr(bot.session.middleware[0]), flush=True)
    polling = asyncio.create_task(Dispatcher().start_polling(bot, polling_timeout=2))
    await asyncio.to_thread(sys.stdin.readline)
    polling.cancel()
    raise RuntimeError(f"an error of the user's own, about {session.api.api_url(bot.token, 'x')}")

asyncio.run(main(), debug=True)
"""


def test_no_token_in_the_log_of_a_bad_day(canary: str, tmp_path: Path) -> None:
    """A rival, a gateway page, a silent server, a revoked token, an error of the user's; all logging on."""
    bot_id, _, secret = canary.partition(":")
    environment = os.environ | {
        "ONEPOLLER_STATE_DIR": str(tmp_path),
        "ONEPOLLER_LEASE": "2",
        "ONEPOLLER_ON_RIVAL": "hold",
    }
    with spawn() as fake, (tmp_path / "log").open("w+") as log:
        bot = subprocess.Popen(
            [sys.executable, "-c", BOT],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        try:
            assert bot.stdin is not None
            bot.stdin.write(f"{canary} {fake.url}\n")
            bot.stdin.flush()
            fake.wait_for(lambda row: row.is_poll and row.parked_at is not None, timeout=20)
            fake.start_rival(int(bot_id), "telebot", name="rival")
            fake.wait_for(lambda row: row.how == "conflict" and row.poller != "rival", timeout=20)
            fake.stop_rival("rival")
            for kind in ("html_502", "close", "hang"):
                fake.fault(int(bot_id), kind)
            fake.wait_for(lambda row: row.how == "fault", count=2, timeout=20)
            fake.revoke(int(bot_id))
            fake.wait_for(lambda row: row.status == 401, timeout=20)
            bot.communicate("end\n", timeout=20)
        finally:
            bot.kill()
            bot.communicate()
        log.seek(0)
        said = log.read()

    assert "Telegram refuses the token (401)" in said
    assert f"an error of the user's own, about {fake.url}/bot{bot_id}:***/x" in said
    assert secret not in said
