"""Scenario 8: a developer's copy has production's token. With guarded PTB: `test_webhooks.py`."""

from __future__ import annotations

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.coordination.test_webhooks import HOOK, HOST
from tests.e2e.scenarios.frameworks import LOOPS, PROXY, Cast

pytestmark = pytest.mark.slow
each = pytest.mark.parametrize("kind", ["aiogram", *LOOPS, PROXY])


@each
def test_a_program_that_would_delete_the_webhook_is_refused(
    telegram: Telegram, cast: Cast, kind: str
) -> None:
    """Its start ends; the log names the host and the switch, and the webhook stands."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    bot = cast.start(kind, "a")
    assert bot.ended() != 0
    assert HOST in bot.log
    assert "ONEPOLLER_ON_WEBHOOK=delete" in bot.log
    assert not [row for row in telegram.rows() if row.method in ("deletewebhook", "getupdates")]


@each
def test_a_program_that_may_delete_the_webhook_does(telegram: Telegram, cast: Cast, kind: str) -> None:
    """With the switch it starts as ever."""
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    cast.start(kind, "a", on_webhook="delete")
    telegram.wait_parked("a")
