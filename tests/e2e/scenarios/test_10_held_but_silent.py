"""Scenario 10: the process lives, its heart beats, nobody polls. Separately: a handler that never ends.

A proxy is such a process where its client polls no more. Its own health stays well then: a restart of it
would not help. A slow handler alone is a bare loop's business here; with a proxy `handler_limit` bounds it.
"""

from __future__ import annotations

import time

import httpx
import pytest

from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.scenarios.frameworks import FRAMEWORKS, PROXY, Cast
from tests.e2e.scenarios.played import free_address

pytestmark = pytest.mark.slow
SHORT = pytest.param(1.0, id="short")
FULL = pytest.param(20.0, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(300)])


def test_a_loop_that_returns_loses_the_claim_and_its_health(telegram: Telegram, bots: Bots) -> None:
    """The standby takes over, /healthz of the first fails, and it could be restarted."""
    address = free_address()
    holder = bots.bare("a", stall_limit=2, metrics=address)
    telegram.wait_parked("a")
    standby = bots.bare("b", stall_limit=2)
    standby.wait_said(role="standby")
    assert httpx.get(f"http://{address}/healthz", trust_env=False).status_code == 200
    holder.tell("quit")
    telegram.wait_parked("b")
    holder.wait_said(stalled=True)
    assert httpx.get(f"http://{address}/healthz", trust_env=False).status_code == 503
    assert (overlaps(telegram.rows()), holder.process.poll()) == ([], None)


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("bare", "silence"),
        ("aiogram", "kill-loop"),
        (PROXY, "kill-loop"),
        ("ptb", "kill-loop"),
    ],
)
def test_a_poll_task_that_is_killed_loses_the_claim(
    telegram: Telegram, bots: Bots, cast: Cast, kind: str, order: str
) -> None:
    """The process and its beating thread live on; the standby polls."""
    options = [] if kind == "bare" else ["--by-hand"]
    holder = cast.start(kind, "a", *options, stall_limit=2)
    telegram.wait_parked("a")
    standby = bots.bare("b", stall_limit=2)
    standby.wait_said(role="standby")
    holder.tell(order)
    telegram.wait_parked("b")
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])
    assert holder.process.poll() is None


@pytest.mark.parametrize("stall_limit", [SHORT, FULL])
def test_a_slow_handler_alone_keeps_the_claim(telegram: Telegram, bots: Bots, stall_limit: float) -> None:
    """A loop that handles before it polls again may outlast lease and stall limit, up to its own limit."""
    holder = bots.bare("a", stall_limit=stall_limit, handler_limit=4 * stall_limit)
    telegram.wait_parked("a")
    standby = bots.bare("b")
    standby.wait_said(role="standby")
    holder.tell("hang")
    telegram.push()
    telegram.wait_for(lambda row: row.how == "updates")
    started = time.monotonic()
    telegram.wait_parked("b", timeout=6 * stall_limit + 5)
    assert time.monotonic() - started > 3.5 * stall_limit
    standby.wait_handled(telegram.pushed())


@pytest.mark.parametrize("kind", [*FRAMEWORKS, PROXY])
def test_a_hanging_handler_of_a_framework_that_fetches_ahead_changes_nothing(
    telegram: Telegram, bots: Bots, cast: Cast, kind: str
) -> None:
    """The framework goes on polling while its handler hangs, and keeps the claim."""
    holder = cast.start(kind, "a", "--work", "3600", stall_limit=1)
    telegram.wait_parked("a")
    standby = bots.bare("b")
    standby.wait_said(role="standby")
    telegram.push()
    telegram.wait_for(lambda row: row.how == "updates")
    telegram.wait_for(lambda row: row.how == "empty", after=telegram.last())
    assert {row.poller for row in telegram.rows() if row.is_poll} == {"a"}
    assert holder.process.poll() is None


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", [*FRAMEWORKS, PROXY, "bare"])
def test_a_blocked_event_loop_loses_the_claim(telegram: Telegram, bots: Bots, cast: Cast, kind: str) -> None:
    """A poll that can be neither answered nor ended, long after its time, is no proof of polling."""
    holder = cast.start(kind, "a", *([] if kind == "bare" else ["--by-hand"]))
    telegram.wait_parked("a")
    standby = bots.bare("b")
    standby.wait_said(role="standby")
    holder.tell("block", "3600")
    telegram.wait_parked("b", timeout=60)
    if kind != PROXY:
        holder.wait_said(stalled=True)
