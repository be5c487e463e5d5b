"""Holders that cannot reach their store, a server: when they stop, who goes on, what a late reply is worth.

Both processes are on hosts of their own, as far as they know; the first one's way to the server can be cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.fault_proxy import FaultProxy
from tests.e2e.engines.servers import Redis

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Two ways to one store."""

    weak: str
    """Through the proxy."""
    sound: str
    proxy: FaultProxy


@pytest.fixture
def ways(telegram: Telegram, redis_server: Redis) -> Iterator[Ways]:
    """Give both ways, to a store for this test alone."""
    prefix = f"/0?prefix=loss{telegram.bot_id}"
    with FaultProxy(redis_server.port) as proxy:
        yield Ways(
            weak=f"redis://127.0.0.1:{proxy.port}{prefix}",
            sound=f"redis://127.0.0.1:{redis_server.port}{prefix}",
            proxy=proxy,
        )


def test_a_holder_that_is_cut_off_has_ended_its_poll_at_its_deadline(
    telegram: Telegram, ways: Ways, bots: Bots
) -> None:
    """Though it would have lasted much longer; so nobody ever polls beside the one that takes over."""
    holder = bots.bare("a", "--timeout", "30", store=ways.weak, state_dir=None, lease=4)
    telegram.wait_parked("a")
    standby = bots.bare("b", "--timeout", "30", store=ways.sound, state_dir=None, lease=4)
    standby.wait_said(role="standby")
    cut_at = telegram.control.now()
    ways.proxy.blackhole()
    telegram.wait_parked("b")
    last = [row for row in polls(telegram.rows()) if row.poller == "a"][-1]
    assert last.closed_at is not None
    assert last.closed_at - cut_at < 3.1, "the lease of 4 s, less the margin of 1 s"
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])
    assert holder.log.count("claims of 1 bots lost") == 1

    ways.proxy.heal()
    telegram.push(3)
    standby.wait_handled(telegram.pushed())
    holder.wait(lambda bot: "this process's session is lost" in bot.log)
    assert holder.handled == []


def test_a_holder_comes_back_by_itself_when_the_store_does(
    telegram: Telegram, ways: Ways, bots: Bots
) -> None:
    """Nobody else was there."""
    holder = bots.bare("a", store=ways.weak, state_dir=None, lease=2)
    telegram.wait_parked("a")
    ways.proxy.blackhole()
    holder.wait(lambda bot: "claims of 1 bots lost" in bot.log)
    last = telegram.last()
    ways.proxy.heal()
    telegram.wait_parked("a", after=last)
    telegram.push()
    holder.wait_handled(telegram.pushed())


def test_the_late_reply_to_a_loop_that_was_blocked_is_dropped(
    telegram: Telegram, ways: Ways, bots: Bots
) -> None:
    """Nothing could end its poll. For a lease and 5 s; a standby has long handled what it got."""
    holder = bots.bare("a", "--timeout", "30", store=ways.weak, state_dir=None, lease=1)
    telegram.wait_parked("a")
    standby = bots.bare("b", store=ways.sound, state_dir=None, lease=1)
    standby.wait_said(role="standby")
    ways.proxy.blackhole()
    holder.tell("block", "6")
    telegram.push(2)  # answered to the blocked one
    telegram.wait_for(lambda row: row.poller == "a" and row.how == "updates")
    standby.wait_handled(telegram.pushed())
    ways.proxy.heal()
    holder.wait_said(unblocked=True)
    assert holder.handled == []
    telegram.push()
    standby.wait_handled(telegram.pushed())


def test_who_is_told_to_hold_polls_on_until_somebody_else_is_seen(
    telegram: Telegram, ways: Ways, bots: Bots
) -> None:
    """Alone it is not deaf; beside another it stands by at the first 409, and says so."""
    holder = bots.bare("a", store=ways.weak, state_dir=None, lease=2, on_store_loss="hold")
    telegram.wait_parked("a")
    ways.proxy.blackhole()
    holder.wait(lambda bot: "I poll on, as told" in bot.log)
    telegram.push()
    holder.wait_handled(telegram.pushed())

    other = bots.bare("b", store=ways.sound, state_dir=None, lease=2, on_rival="hold")
    holder.wait(lambda bot: "somebody else polls it while the store is away" in bot.log)
    telegram.wait_parked("b", after=telegram.last())
    telegram.push()
    other.wait_handled(telegram.pushed()[1:])
    assert holder.handled == telegram.pushed()[:1]
