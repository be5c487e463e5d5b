"""Scenario 7: a webhook in the way, the three texts, and a tug of war over it.

More of one webhook with PTB and a bare loop: `coordination/test_webhooks.py`. `on_webhook="delete"` is for
calls that a program makes as it starts; a webhook that comes later is never deleted.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from onepoller.testing.botapi import Row, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.coordination.test_webhooks import HOOK, HOST, check_that_it_is_blocked_and_resumes
from tests.e2e.scenarios.foreigners import Foreigners, counted
from tests.e2e.scenarios.frameworks import PROXY, Cast
from tests.e2e.scenarios.played import free_address

pytestmark = pytest.mark.slow


def test_a_webhook_set_during_a_poll(telegram: Telegram, bots: Bots) -> None:
    """The parked poll is answered 409; nothing is deleted, and polling comes back by itself."""
    bots.start("aiogram", "a")
    parked = telegram.wait_parked("a")
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    telegram.wait_for(lambda row: row.seq >= parked.seq and row.tag == "S")
    check_that_it_is_blocked_and_resumes(telegram, bots, "a")


def test_a_tug_of_war_over_the_webhook_of_a_proxys_client(telegram: Telegram, bots: Bots, cast: Cast) -> None:
    """The client hears of no 409, proxy and status name the host, nothing is deleted; it always returns."""
    pair = cast.start(PROXY, "a", "--timeout", "10")
    parked = telegram.wait_parked("a")
    for number in range(2):
        since = telegram.last()
        telegram.control.set_webhook(telegram.bot_id, f"{HOOK}/{number}")
        telegram.wait_for(lambda row: row.tag == "S", after=parked.seq - 1)
        telegram.wait_for(lambda row: row.method == "getwebhookinfo", after=since)
        pair.proxy.wait_logged(HOST)
        blocked = telegram.last()
        telegram.control.set_webhook(telegram.bot_id, f"{HOOK}/{number}/again")
        telegram.wait_for(lambda row: row.method == "getwebhookinfo", after=telegram.last())
        assert [row for row in polls(telegram.rows()) if row.seq > blocked] == []
        shown = json.loads(bots.run("status", "--json").stdout)["bots"][0]
        assert (shown["episode"]["detail"], shown["role"]) == (HOST, "blocked")
        telegram.control.set_webhook(telegram.bot_id, "")
        made = telegram.push()[0].update_id
        assert made is not None
        pair.wait_handled([made])
        parked = telegram.wait_for(partial(parked_with, made + 1), after=blocked)

    mine = [row for row in telegram.rows() if row.poller != "foreign webhook"]
    assert not [row for row in mine if row.method == "deletewebhook"]
    assert ("secret-path" in pair.log, "Conflict" in pair.bot.log) == (False, False)


def deletions(telegram: Telegram) -> int:
    """How often anybody here has deleted the webhook."""
    rows = telegram.rows()
    return sum(row.method == "deletewebhook" and row.poller != "foreign webhook" for row in rows)


def test_the_three_texts_are_told_apart(telegram: Telegram, bots: Bots, tmp_path: Path) -> None:
    """A webhook before the start, one set during a poll, another poller: three kinds, in log and metrics."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    foreign = Foreigners(bots, tmp_path).ready("telebot")
    address = free_address()
    bot = bots.bare("a", "--timeout", "10", metrics=address)
    bot.wait_said(opened="webhook_active", detail=HOST)
    telegram.control.set_webhook(telegram.bot_id, "")
    bot.wait_said(closed="webhook_active", resolution="webhook_gone")
    telegram.wait_parked("a")
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bot.wait_said(opened="webhook_set", detail=HOST)
    telegram.control.set_webhook(telegram.bot_id, "")
    bot.wait_said(closed="webhook_set", resolution="webhook_gone")
    telegram.wait_parked("a", after=telegram.last())
    foreign.wait_said(ready=True)
    foreign.tell("go")
    bot.wait_said(opened="rival")

    tags = [row.tag for row in polls(telegram.rows()) if row.poller == "a" and row.how == "conflict"]
    assert tags == ["W", "S", "G"]
    assert f"has a webhook at {HOST}, so Telegram refuses getUpdates. I delete nothing" in bot.log
    kinds = ("webhook_active", "webhook_set", "rival")
    assert [counted(address, "onepoller_conflicts_total", kind=kind) for kind in kinds] == [1, 1, 1]
    assert deletions(telegram) == 0


def parked_with(offset: int, row: Row) -> bool:
    """Whether this poll was parked with that offset."""
    return row.parked_at is not None and row.offset == offset


@pytest.mark.parametrize("kind", ["ptb", "aiogram", pytest.param("bare", marks=pytest.mark.soak)])
def test_a_tug_of_war_over_the_webhook(telegram: Telegram, cast: Cast, kind: str) -> None:
    """Set twice, and changed in between: we delete nothing, and each time polling comes back."""
    bot = cast.start(kind, "a", "--timeout", "10")
    telegram.wait_parked("a")
    for number in range(2):
        since, said = telegram.last(), len(bot.said)
        telegram.control.set_webhook(telegram.bot_id, f"{HOOK}/{number}")
        telegram.wait_for(lambda row: row.poller == "a" and row.tag == "S" and row.status == 409)
        bot.wait_said(opened="webhook_set", since=said)
        blocked = telegram.last()
        telegram.wait_for(lambda row: row.method == "getwebhookinfo", after=since)
        telegram.control.set_webhook(telegram.bot_id, f"{HOOK}/{number}/again")
        telegram.wait_for(lambda row: row.method == "getwebhookinfo", after=telegram.last())
        assert [row for row in polls(telegram.rows()) if row.seq > blocked] == []
        telegram.control.set_webhook(telegram.bot_id, "")
        bot.wait_said(closed="webhook_set", resolution="webhook_gone", since=said)
        made = telegram.push()[0].update_id
        assert made is not None
        bot.wait_handled([made])
        # The poll that acknowledges it: a look may come before that, and a webhook between two polls is no S.
        telegram.wait_for(partial(parked_with, made + 1), after=blocked)

    assert (deletions(telegram), bot.process.poll()) == (0, None)
    assert "Traceback" not in bot.log
    assert "secret-path" not in bot.log


@pytest.mark.parametrize("kind", ["ptb", pytest.param("aiogram", marks=pytest.mark.soak)])
def test_permission_to_delete_is_used_once_a_start(telegram: Telegram, cast: Cast, kind: str) -> None:
    """With the switch a start deletes the webhook that it finds; a later one blocks, as without it."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bot = cast.start(kind, "a", on_webhook="delete")
    parked = telegram.wait_parked("a")
    assert deletions(telegram) == 1
    telegram.wait_for(lambda row: row.poller == "a" and row.how == "empty" and row.parked_at is not None)
    # Two webhooks within a second are too many: that poll lay in between.
    for number in range(2):
        said = len(bot.said)
        telegram.control.set_webhook(telegram.bot_id, f"{HOOK}/{number}")
        bot.wait_said(role="blocked", since=said)
        telegram.wait_for(lambda row: row.method == "getwebhookinfo", after=telegram.last())
        assert deletions(telegram) == 1
        telegram.control.set_webhook(telegram.bot_id, "")
        bot.wait_said(resolution="webhook_gone", since=said)
        parked = telegram.wait_parked("a", after=max(parked.seq, telegram.last()))
    said = len(bot.said)
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bot.wait_said(role="blocked", since=said)
    bot.kill()
    cast.start(kind, "b", on_webhook="delete")
    telegram.wait_parked("b")
    assert deletions(telegram) == 2
