"""What is special about Redis: errors as sentences, lost data, and the server's own count of our commands."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.servers import Redis

pytestmark = pytest.mark.slow
LEASE = 2.0


def test_a_standby_polls_within_the_lease_of_a_dead_holder(
    telegram: Telegram, bots: Bots, redis_server: Redis
) -> None:
    """Two processes that share nothing but the server; the bar is the lease and 100 ms."""
    store = f"{redis_server.url}?prefix=crash{telegram.bot_id}"
    holder = bots.bare("a", store=store, state_dir=None, lease=LEASE)
    telegram.wait_parked("a")
    standby = bots.bare("b", store=store, state_dir=None, lease=LEASE)
    standby.wait_said(role="standby")
    killed_at = telegram.control.now()
    holder.kill()
    telegram.wait_parked("b")
    telegram.push(3)
    standby.wait_handled(telegram.pushed())
    polled_at = next(row.arrived_at for row in polls(telegram.rows()) if row.poller == "b")
    assert polled_at - killed_at < LEASE + 0.1
    assert overlaps(telegram.rows()) == []


def test_a_handover_is_heard_at_once(telegram: Telegram, bots: Bots, redis_server: Redis) -> None:
    """The successor is woken by the server, not by its slow look, and no 409 is seen."""
    store = f"{redis_server.url}?prefix=handover{telegram.bot_id}"
    holder = bots.bare("a", store=store, state_dir=None, lease=LEASE)
    telegram.wait_parked("a")
    bots.bare("b", store=store, state_dir=None, lease=LEASE).wait_said(role="standby")
    holder.tell("hand_over")
    telegram.wait_parked("b")
    assert conflicts(telegram.rows()) == []
