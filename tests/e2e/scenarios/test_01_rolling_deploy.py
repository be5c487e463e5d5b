"""Scenario 1: a rolling deploy under load. The old one polls, the new one is ready as standby, SIGTERM."""

from __future__ import annotations

import socket
import time

import httpx
import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.scenarios.frameworks import EVERYBODY, Cast, terminate, wait_standby

pytestmark = pytest.mark.slow
SHORT = pytest.param(2.0, 2.0, 2, id="short")
FULL = pytest.param(40.0, 10.0, 10, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(300)])


def is_ready(address: str) -> bool:
    """What an orchestrator's gate asks."""
    try:
        return httpx.get(f"http://{address}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def free_address() -> str:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", EVERYBODY)
@pytest.mark.parametrize(("side_by_side", "lease", "timeout"), [SHORT, FULL])
def test_a_rolling_deploy_under_load(
    telegram: Telegram, bots: Bots, cast: Cast, kind: str, *, side_by_side: float, lease: float, timeout: int
) -> None:
    """The standby is ready, sends no poll while the old one polls, and takes over without a loss or a 409."""
    old = cast.start(kind, "old", "--timeout", str(timeout), lease=lease)
    telegram.wait_parked("old")
    telegram.push(1000, every=0.5)
    address = free_address()
    new = cast.start(kind, "new", "--timeout", str(timeout), lease=lease, metrics=address)
    deadline = time.monotonic() + PATIENCE
    while not is_ready(address):
        assert time.monotonic() < deadline, new.log
        time.sleep(0.1)
    wait_standby(new)
    time.sleep(side_by_side)
    asked_at = telegram.control.now()
    assert {row.poller for row in polls(telegram.rows())} == {"old"}

    assert terminate(old) == 0
    new.wait(lambda bot: len(bot.handled) >= 4)

    handled = bots.wait_all_handled()
    rows = telegram.rows()
    assert telegram.longest_gap(since=asked_at) < 2.0
    assert (overlaps(rows), conflicts(rows)) == ([], [])
    assert set(handled.values()) == {1}
    assert not [said for bot in (old, new) for said in bot.said if "failed" in said]
    assert "Traceback" not in old.log + new.log
