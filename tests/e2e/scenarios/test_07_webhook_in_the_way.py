"""Scenario 7 with aiogram and behind a proxy; with the others see `coordination/test_webhooks.py`."""

from __future__ import annotations

import json

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.coordination.test_webhooks import HOOK, HOST, check_that_it_is_blocked_and_resumes
from tests.e2e.scenarios.frameworks import PROXY, Cast

pytestmark = pytest.mark.slow


def test_a_webhook_set_during_a_poll(telegram: Telegram, bots: Bots) -> None:
    """The parked poll is answered 409; nothing is deleted, and polling comes back by itself."""
    bots.start("aiogram", "a")
    parked = telegram.wait_parked("a")
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    telegram.wait_for(lambda row: row.seq >= parked.seq and row.tag == "S")
    check_that_it_is_blocked_and_resumes(telegram, bots, "a")


def test_a_webhook_set_during_a_poll_of_a_proxys_client(telegram: Telegram, bots: Bots, cast: Cast) -> None:
    """The client hears of no 409; proxy and status name the host, nothing is deleted, and it comes back."""
    pair = cast.start(PROXY, "a")
    parked = telegram.wait_parked("a")
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    telegram.wait_for(lambda row: row.seq >= parked.seq and row.tag == "S")
    pair.proxy.wait_logged(HOST)
    shown = json.loads(bots.run("status", "--json").stdout)["bots"][0]
    assert (shown["episode"]["detail"], shown["role"]) == (HOST, "blocked")
    telegram.control.set_webhook(telegram.bot_id, "")
    telegram.push()
    pair.wait_handled(telegram.pushed())

    mine = [row for row in telegram.rows() if row.poller != "foreign webhook"]
    assert not [row for row in mine if row.method == "deletewebhook"]
    assert ("secret-path" in pair.log, "Conflict" in pair.bot.log) == (False, False)
