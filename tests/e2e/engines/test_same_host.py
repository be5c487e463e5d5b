"""Two processes of one host, with a store on a server: a death is followed at once, not after a lease."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from onepoller.testing.botapi import conflicts, duplicates, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bot, Bots
from tests.e2e.engines.servers import Redis

pytestmark = pytest.mark.slow
LEASE = 10.0
AT_ONCE = 2.0
"""Seconds. Wide: the machine may be busy; a lease is five times as long."""


@pytest.fixture
def store(telegram: Telegram, redis_server: Redis) -> str:
    """Give the URL of a store for this test alone."""
    return f"{redis_server.url}?prefix=host{telegram.bot_id}"


def first_poll(telegram: Telegram, name: str) -> float:
    """When this poller first polled."""
    return next(row.arrived_at for row in polls(telegram.rows()) if row.poller == name)


def session_files(bots: Bots) -> list[Path]:
    """The lock files of this host."""
    return list((bots.state / "engine-sessions").iterdir())


def test_a_standby_beside_a_killed_holder_polls_at_once(telegram: Telegram, bots: Bots, store: str) -> None:
    """Long before the lease is over, without a 409 and without an update that comes twice."""
    holder, standby = bots.pair(store=store, lease=LEASE)
    assert len(session_files(bots)) == 2
    killed_at = telegram.control.now()
    holder.kill()
    telegram.wait_parked("b")
    telegram.push(3)
    standby.wait_handled(telegram.pushed())
    assert first_poll(telegram, "b") - killed_at < AT_ONCE
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])
    assert duplicates(telegram.rows()) == {}
    assert len(session_files(bots)) == 1


def test_a_process_that_is_started_again_goes_on_at_once(telegram: Telegram, bots: Bots, store: str) -> None:
    """As under systemd: killed, and the next one takes the claim of its dead predecessor."""
    bots.bare("a", store=store, lease=LEASE)
    telegram.wait_parked("a")
    holder = next(iter(bots))
    holder.kill()
    holder.ended()
    started_at = telegram.control.now()
    again = bots.bare("b", store=store, lease=LEASE, on_rival="hold")
    telegram.wait_parked("b")
    telegram.push()
    again.wait_handled(telegram.pushed())
    assert first_poll(telegram, "b") - started_at < LEASE - 2


def test_from_another_host_only_the_lease_counts(telegram: Telegram, bots: Bots, store: str) -> None:
    """Nothing there proves anything."""
    holder, _ = bots.pair(store=store, lease=2, state_dir=None)
    killed_at = telegram.control.now()
    holder.kill()
    telegram.wait_parked("b")
    assert first_poll(telegram, "b") - killed_at > 1.0


def test_a_frozen_holder_is_followed_after_its_lease(telegram: Telegram, bots: Bots, store: str) -> None:
    """A frozen process keeps its lock; thawed, it drops what it had got, and stands by."""
    holder, standby = bots.pair(store=store, lease=2)
    frozen_at = telegram.control.now()
    holder.send(signal.SIGSTOP)
    telegram.push(2)  # answered to the frozen one, which has not looked yet
    standby.wait_handled(telegram.pushed())
    assert first_poll(telegram, "b") - frozen_at > 1.0
    heard = len(holder.said)
    holder.send(signal.SIGCONT)
    holder.wait_said(role="standby", since=heard)
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert holder.handled == []


def test_a_forked_child_does_not_keep_its_dead_parent_alive(
    telegram: Telegram, bots: Bots, store: str
) -> None:
    """The child has let the lock go."""
    parent, _ = bots.pair(store=store, lease=LEASE)
    parent.tell("fork")
    child = _forked(parent)
    killed_at = telegram.control.now()
    os.kill(parent.pid, signal.SIGKILL)
    telegram.wait_parked("b")
    assert first_poll(telegram, "b") - killed_at < AT_ONCE
    os.kill(child, 0)  # it lives


def _forked(parent: Bot) -> int:
    """The child, when both have said that it is one: either may be the first to speak."""
    parent.wait_said(asleep=True)
    parent.wait(lambda bot: any("forked" in said for said in bot.said))
    return next(int(said["forked"]) for said in parent.said if "forked" in said)
