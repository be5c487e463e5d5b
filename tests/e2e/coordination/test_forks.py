"""A process that polls, and forks: its child neither polls nor keeps a dead parent's claim."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow


def test_a_sleeping_child_does_not_keep_its_dead_parents_claim(telegram: Telegram, bots: Bots) -> None:
    """The parent is killed, its child sleeps on: the standby takes over at once."""
    holder, standby = bots.pair(lease=3600)  # an hour: nothing is found out by silence
    holder.tell("fork")
    holder.wait_said(asleep=True)
    before = telegram.last()
    holder.kill()
    telegram.wait_polled_by_another("a", after=before, timeout=5)
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert overlaps(telegram.rows()) == []


def test_a_child_that_polls_has_a_session_of_its_own(telegram: Telegram, bots: Bots) -> None:
    """It stands by beside its parent, never polls at the same time, and takes over when the parent dies."""
    holder = bots.bare("a", lease=3600)
    telegram.wait_parked("a")
    holder.tell("fork-poll", "child")
    holder.wait_said(role="standby")
    telegram.push()
    holder.wait_handled(telegram.pushed())
    assert {row.poller for row in polls(telegram.rows())} == {"a"}
    holder.kill()
    telegram.wait_parked("child", timeout=5)
    assert overlaps(telegram.rows()) == []
    telegram.push()
    holder.wait(lambda bot: any(said.get("by") == "child" for said in bot.said))
