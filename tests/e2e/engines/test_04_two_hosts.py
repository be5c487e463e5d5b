"""Scenario 4 as it is with a store that both hosts reach: nobody has to find out by a conflict."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import conflicts, delivered, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bot
from tests.e2e.engines.hosts import LEASE, Hosts

pytestmark = pytest.mark.slow


def test_of_two_hosts_that_start_at_once_one_polls_and_the_other_takes_over_within_a_lease(
    telegram: Telegram, hosts: Hosts
) -> None:
    """The journal knows one poller until it is killed, then the other; no conflict, no update for two."""
    both = {name: hosts.start(name) for name in "ab"}
    first = telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None).poller
    holder, standby = both.pop(first), both.popitem()[1]
    standby.wait_said(role="standby")
    for _ in range(8):
        holder.wait_handled([telegram.push()[0].update_id or 0])
    telegram.wait_for(lambda row: telegram.pushed()[-1] in row.confirmed)
    assert {row.poller for row in polls(telegram.rows())} == {holder.name}

    killed_at = telegram.control.now()
    holder.kill()
    waits = telegram.push()[0].update_id
    assert waits is not None
    standby.wait_handled([waits])

    rows = telegram.rows()
    assert first_poll_of(standby, telegram) - killed_at < LEASE + 1
    assert (overlaps(rows), conflicts(rows)) == ([], [])
    assert delivered(rows)[standby.name] == standby.handled == [waits]
    for bot in (holder, standby):
        assert [said for said in bot.said if {"refused", "failed", "opened"} & said.keys()] == []
        assert "Traceback" not in bot.log


def first_poll_of(bot: Bot, telegram: Telegram) -> float:
    """When it arrived, by the clock of the server."""
    return next(row.arrived_at for row in polls(telegram.rows()) if row.poller == bot.name)
