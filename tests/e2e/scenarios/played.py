"""Scenarios 1 and 2 as they are played on every store. Bots are started by a function, wherever they meet."""

from __future__ import annotations

import time
from typing import Any, Protocol

import httpx

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.servers import free_port
from tests.e2e.scenarios.frameworks import terminate, wait_called, wait_standby

START = 15.0
"""A start of the interpreter on a busy machine, seconds; not ours to bound."""
RESPAWNS = ("1", "2", "3")


class Start(Protocol):
    """Starts a bot of this name: a `Bot` or a `Pair`."""

    def __call__(self, name: str, **settings: object) -> Any: ...


def rolling_deploy(telegram: Telegram, bots: Bots, start: Start, *, side_by_side: float) -> None:
    """The standby is ready, sends no poll while the old one polls, and takes over without a loss or a 409."""
    old = start("old")
    telegram.wait_parked("old")
    telegram.push(1000, every=0.5)
    address = free_address()
    new = start("new", metrics=address)
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


def free_address() -> str:
    """A port that nobody uses now."""
    return f"127.0.0.1:{free_port()}"


def is_ready(address: str) -> bool:
    """What an orchestrator's gate asks."""
    try:
        return httpx.get(f"http://{address}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def kills_and_respawns(telegram: Telegram, start: Start, *, lease: float, confirms_first: bool) -> None:
    """No exit loop, no fixed sleep, no visible conflict; only what the framework had confirmed is lost."""
    everybody = [start("0")]
    telegram.wait_parked("0")
    telegram.push(1000, every=0.5)
    for number in RESPAWNS:
        telegram.wait_parked(everybody[-1].name)
        everybody[-1].kill()
        time.sleep(1.0)
        everybody.append(start(number))
        wait_called(everybody[-1], timeout=START)
        everybody[-1].wait(lambda bot: bool(bot.handled), timeout=lease + 2)
    telegram.control.stop_push(telegram.bot_id)
    pushed = telegram.pushed()
    everybody[-1].wait_handled(pushed[-1:])

    rows = telegram.rows()
    killed = {bot.name for bot in everybody[:-1]}
    confirmed_by_the_dead = {
        update for row in polls(rows) if row.poller in killed for update in row.confirmed
    }
    lost = set(pushed) - {update for bot in everybody for update in bot.handled}
    assert lost <= (confirmed_by_the_dead if confirms_first else set())
    assert (overlaps(rows), conflicts(rows)) == ([], [])
    assert everybody[-1].process.poll() is None
