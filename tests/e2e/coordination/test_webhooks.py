"""A webhook gets in the way, set during a poll or before it: nothing is deleted, polling comes back."""

from __future__ import annotations

import json

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow
HOST = "hooks.example"
HOOK = f"https://{HOST}/secret-path"


def check_that_it_is_blocked_and_resumes(telegram: Telegram, bots: Bots, name: str) -> None:
    """The host is named in log and status, nothing is deleted, and polling comes back by itself."""
    bot_of = {bot.name: bot for bot in bots}
    bot = bot_of[name]
    bot.wait_said(role="blocked")
    bot.wait_said(detail=HOST)
    bot.wait(lambda b: HOST in b.log)
    assert "secret-path" not in bot.log
    shown = json.loads(bots.run("status", "--json").stdout)["bots"][0]
    assert (shown["episode"]["detail"], shown["role"]) == (HOST, "blocked")
    assert not [
        row for row in telegram.rows() if row.method == "deletewebhook" and row.poller != "foreign webhook"
    ]

    telegram.control.set_webhook(telegram.bot_id, "")
    bot.wait_said(resolution="webhook_gone")
    telegram.push()
    bot.wait_handled(telegram.pushed())


@pytest.mark.parametrize("kind", ["ptb", pytest.param("bare", marks=pytest.mark.soak)])
def test_a_webhook_set_during_a_poll(telegram: Telegram, bots: Bots, kind: str) -> None:
    """The parked poll is answered 409 "terminated by setWebhook"."""
    (bots.ptb if kind == "ptb" else bots.bare)("a")
    parked = telegram.wait_parked("a")
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    telegram.wait_for(lambda row: row.seq >= parked.seq and row.tag == "S")
    check_that_it_is_blocked_and_resumes(telegram, bots, "a")


@pytest.mark.soak
def test_a_webhook_that_was_there_before(telegram: Telegram, bots: Bots) -> None:
    """The first poll of a bare loop is answered 409 "webhook is active"."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bots.bare("a")
    telegram.wait_for(lambda row: row.tag == "W")
    check_that_it_is_blocked_and_resumes(telegram, bots, "a")


def test_a_framework_that_would_delete_the_webhook_is_refused(telegram: Telegram, bots: Bots) -> None:
    """PTB's bootstrap ends the program; the log names the host and the switch, and the webhook stands."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bot = bots.ptb("a")
    assert bot.ended() != 0
    assert HOST in bot.log
    assert "ONEPOLLER_ON_WEBHOOK=delete" in bot.log
    assert not [row for row in telegram.rows() if row.method in ("deletewebhook", "getupdates")]


def test_a_framework_that_may_delete_the_webhook_does(telegram: Telegram, bots: Bots) -> None:
    """With the switch PTB starts as ever."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bots.ptb("a", on_webhook="delete")
    telegram.wait_parked("a")


@pytest.mark.soak
def test_a_blocked_holder_keeps_its_claim(telegram: Telegram, bots: Bots) -> None:
    """The standby does not walk into the same webhook."""
    holder, _ = bots.pair()
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    holder.wait_said(role="blocked")
    telegram.wait_for(lambda row: row.method == "getwebhookinfo", after=telegram.last())
    assert not [row for row in telegram.rows() if row.is_poll and row.poller == "b"]
