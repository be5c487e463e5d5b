"""Scenario 7 with aiogram; with the others see `coordination/test_webhooks.py`."""

from __future__ import annotations

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.coordination.test_webhooks import HOOK, check_that_it_is_blocked_and_resumes
from tests.e2e.scenarios.frameworks import start

pytestmark = pytest.mark.slow


def test_a_webhook_set_during_a_poll(telegram: Telegram, bots: Bots) -> None:
    """The parked poll is answered 409; nothing is deleted, and polling comes back by itself."""
    start(bots, "aiogram", "a")
    parked = telegram.wait_parked("a")
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    telegram.wait_for(lambda row: row.seq >= parked.seq and row.tag == "S")
    check_that_it_is_blocked_and_resumes(telegram, bots, "a")
