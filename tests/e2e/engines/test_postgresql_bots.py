"""Real bots whose claims lie in a real PostgreSQL: a death is heard at once, also behind a fork."""

from __future__ import annotations

import secrets
import signal

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.servers import PgBouncer, PostgreSQL

pytestmark = pytest.mark.slow

LONG = 3600
"""A lease, in seconds, that nobody waits for: whatever happens is not found out by silence."""

# Pairs are of two hosts (`state_dir=None`): no kernel lock tells of a death.


@pytest.fixture
def url(postgresql_server: PostgreSQL) -> str:
    """Give a store of the test's own."""
    return f"{postgresql_server.url}?prefix=t{secrets.token_hex(6)}"


def test_the_standby_polls_as_soon_as_the_holder_is_dead(telegram: Telegram, bots: Bots, url: str) -> None:
    """Its connection ends with it; nobody waits for a lease."""
    holder, standby = bots.pair(store=url, lease=LONG, state_dir=None)
    before = telegram.last()
    holder.kill()
    telegram.wait_polled_by_another("a", after=before, timeout=5)
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert overlaps(telegram.rows()) == []


def test_a_child_that_polls_has_a_session_of_its_own(telegram: Telegram, bots: Bots, url: str) -> None:
    """The parent polls on beside it, and is followed by it."""
    holder = bots.bare("a", store=url, lease=LONG)
    telegram.wait_parked("a")
    holder.tell("fork-poll", "child")
    holder.wait_said(role="standby")
    telegram.push()
    holder.wait_handled(telegram.pushed())
    holder.kill()
    telegram.wait_parked("child", timeout=5)
    assert overlaps(telegram.rows()) == []


def test_a_holder_that_ends_in_good_order_is_followed_without_a_conflict(
    telegram: Telegram, bots: Bots, url: str
) -> None:
    """SIGTERM: the claim is handed over."""
    holder, standby = bots.pair(store=url, lease=LONG, state_dir=None)
    before = telegram.last()
    holder.send(signal.SIGTERM)
    telegram.wait_polled_by_another("a", after=before, timeout=5)
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_behind_a_pooler_a_lease_is_waited_for(
    telegram: Telegram, bots: Bots, pgbouncer: PgBouncer, how: str
) -> None:
    """There only the beat tells; the standby polls when it is over, and not before."""
    url = f"{pgbouncer.url}?mode=pooler&prefix=t{secrets.token_hex(6)}"
    holder, standby = bots.pair(store=url, lease=1, state_dir=None)
    before, fell_at = telegram.last(), telegram.control.now()
    holder.send(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    telegram.wait_polled_by_another("a", after=before, timeout=5)
    first = next(row for row in polls(telegram.rows()) if row.poller == "b")
    assert first.arrived_at - fell_at > 0.5, "the lease of 1 s, less the age of the last beat"
    telegram.push()
    standby.wait_handled(telegram.pushed())


def test_a_frozen_holder_is_followed_after_its_lease(telegram: Telegram, bots: Bots, url: str) -> None:
    """The server ends its connection; thawed, it stands by."""
    holder, standby = bots.pair(store=url, lease=1, state_dir=None)
    before = telegram.last()
    holder.send(signal.SIGSTOP)
    telegram.wait_polled_by_another("a", after=before, timeout=5)
    said = len(holder.said)
    holder.send(signal.SIGCONT)
    holder.wait_said(since=said, role="standby")
    telegram.push()
    standby.wait_handled(telegram.pushed())
