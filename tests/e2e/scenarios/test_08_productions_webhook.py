"""Scenario 8: production is on a webhook; a developer's copy has production's token and would poll."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import PROGRAMS, ROOT, Bot, Bots
from tests.e2e.coordination.test_webhooks import HOOK, HOST
from tests.e2e.scenarios.frameworks import LOOPS, PROXY, Cast

pytestmark = pytest.mark.slow
DEVELOPER = PROGRAMS / "programs" / "developer.py"
SWITCH = "ONEPOLLER_ON_WEBHOOK=delete"
SOMEBODY_ELSES = "7999999999:test-test-test-test-test-test-test-"
each = pytest.mark.parametrize("kind", ["aiogram", *LOOPS, PROXY])
each_idiom = pytest.mark.parametrize("idiom", ["ptb", "aiogram", "telebot", "bare"])
Start = Callable[..., Bot]


@pytest.fixture
def develop(telegram: Telegram, bots: Bots, tmp_path: Path) -> Start:
    """Give what starts a developer's copy: another bot's token in `.env`, production's exported over it."""
    (tmp_path / ".env").write_text(f"BOT_TOKEN={SOMEBODY_ELSES}\n")

    def start(idiom: str, **settings: object) -> Bot:
        there = f"import os, sys; os.chdir({str(tmp_path)!r}); os.execv(sys.executable, sys.argv[1:])"
        command = [sys.executable, "-c", there, sys.executable, str(DEVELOPER), idiom, "dev", telegram.url]
        environment = bots.environment(settings) | {"BOT_TOKEN": telegram.token, "PYTHONPATH": str(ROOT)}
        made = Bot("dev", command, environment, tmp_path / "dev.log")
        bots._all.append(made)
        return made

    return start


def webhook(telegram: Telegram) -> dict[str, object]:
    """What the server says of the bot's webhook: its URL, and how many updates wait."""
    url = f"{telegram.url}/bot{telegram.token}/getWebhookInfo"
    info = httpx.get(url, headers={"X-Poller": "test"}, trust_env=False).json()["result"]
    return {name: info[name] for name in ("url", "pending_update_count")}


def touching(telegram: Telegram) -> list[str]:
    """The calls of anybody here that change something, or poll."""
    methods = ("deletewebhook", "setwebhook", "getupdates")
    return [
        row.method for row in telegram.rows() if row.method in methods and row.poller != "foreign webhook"
    ]


@each_idiom
def test_a_developers_copy_is_refused_before_it_touches_anything(
    telegram: Telegram, develop: Start, idiom: str
) -> None:
    """It ends; its log names bot, host and switch, and production keeps its webhook and what waits."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    telegram.push(3)
    copy = develop(idiom)
    assert copy.ended() != 0
    assert [text for text in (HOST, SWITCH, f"bot {telegram.bot_id}") if text not in copy.log] == []
    assert "secret-path" not in copy.log
    assert touching(telegram) == []
    assert webhook(telegram) == {"url": HOOK, "pending_update_count": 3}


@each
def test_a_program_that_would_delete_the_webhook_is_refused(
    telegram: Telegram, cast: Cast, kind: str
) -> None:
    """Its start ends; the log names the host and the switch, and the webhook stands."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bot = cast.start(kind, "a")
    assert bot.ended() != 0
    assert HOST in bot.log
    assert SWITCH in bot.log
    assert touching(telegram) == []


@each
def test_a_program_that_may_delete_the_webhook_does(telegram: Telegram, cast: Cast, kind: str) -> None:
    """With the switch it starts as ever."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    cast.start(kind, "a", on_webhook="delete")
    telegram.wait_parked("a")


@each_idiom
def test_a_copy_that_may_delete_the_webhook_does(telegram: Telegram, develop: Start, idiom: str) -> None:
    """With the switch it takes the webhook away, once; telebot does so by a setWebhook without a URL."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    develop(idiom, on_webhook="delete")
    telegram.wait_parked("dev")
    assert len([method for method in touching(telegram) if method != "getupdates"]) == 1
    assert webhook(telegram)["url"] == ""
