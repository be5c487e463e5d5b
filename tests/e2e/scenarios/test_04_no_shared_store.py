"""Scenario 4: the same bot on two hosts that know nothing of each other: two state directories, no engine.

Telegram is the referee: the incumbent holds, the newcomer yields. All is read at the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from onepoller.testing.botapi import Row, conflicts, delivered, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.scenarios.foreigners import seen_conflicts, wait_established, wait_rows, waited
from tests.e2e.scenarios.frameworks import Cast

pytestmark = pytest.mark.slow
each = pytest.mark.parametrize("kind", ["ptb", "aiogram", "bare"])
SETTLED_FOR = 10.0
"""Nobody sees a conflict, and one poller is given all messages, for so long."""
SETTLED_WITHIN = 60.0
TAKEOVER = 15.0
"""From the first message that waits until another host delivers it, seconds."""
WAITS = 20.0
"""No message waits longer, whoever takes it, seconds."""


class Hosts:
    """One bot each, with a state directory of its own."""

    def __init__(self, cast: Cast, folder: Path, kind: str) -> None:
        self._cast = cast
        self._folder = folder
        self._kind = kind
        self.bots: dict[str, Any] = {}

    def start(self, *names: str) -> None:
        """Start a bot on each of these hosts at once."""
        for name in names:
            self.bots[name] = self._cast.start(self._kind, name, state_dir=self._folder / name)

    def handled(self) -> dict[str, list[int]]:
        """What each has handled."""
        return {name: bot.handled for name, bot in self.bots.items() if bot.handled}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder for the hosts' directories."""
    return tmp_path / "hosts"


def settled(telegram: Telegram, rows: Sequence[Row]) -> str:
    """Who alone has been given messages, and seen no conflict, for long enough; empty: not yet."""
    since = telegram.control.now() - SETTLED_FOR
    polled = [row for row in polls(rows) if row.limit != 1]  # a look from outside asks for one update
    late = [row for row in polled if row.ended_at is None or row.ended_at >= since]
    served = list(delivered(late))
    is_old = any(row.update_ids and row.ended_at is not None and row.ended_at < since for row in polled)
    return served[0] if is_old and len(served) == 1 and not conflicts(late) else ""


def check_that_nobody_failed(hosts: Hosts) -> None:
    """All of them live but those that were killed, and their frameworks heard of no conflict."""
    for bot in hosts.bots.values():
        assert [said for said in bot.said if "refused" in said or "failed" in said] == []
        assert "Traceback" not in bot.log


@each
def test_the_newcomer_yields_and_takes_over_from_a_killed_incumbent(
    telegram: Telegram, cast: Cast, folder: Path, kind: str
) -> None:
    """One conflict each at most; all messages are the incumbent's until it dies, then the other's."""
    hosts = Hosts(cast, folder, kind)
    hosts.start("a")
    wait_established(telegram, "a")
    hosts.start("b")
    hosts.bots["b"].wait_said(opened="rival")
    for _ in range(8):
        made = telegram.push()[0].update_id
        hosts.bots["a"].wait_handled([made])
    rows = telegram.rows()
    assert list(hosts.handled()) == ["a"]
    assert [len(seen_conflicts(rows, name)) for name in ("a", "b")] == [1, 1]
    assert "it was here before us, so I stand by" in hosts.bots["b"].log
    assert "I was here before, so I keep polling" in hosts.bots["a"].log

    telegram.wait_for(lambda row: telegram.pushed()[-1] in row.confirmed)
    hosts.bots["a"].kill()
    waits = telegram.push()[0].update_id
    assert waits is not None
    hosts.bots["b"].wait_handled([waits])
    assert waited(telegram, waits, "b") < TAKEOVER
    assert hosts.handled()["b"] == [waits]
    check_that_nobody_failed(hosts)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ptb", "ab"),
        ("aiogram", "ab"),
        ("bare", "abc"),
        pytest.param("bare", "ab", marks=pytest.mark.soak),
        pytest.param("ptb", "abc", marks=pytest.mark.soak),
        pytest.param("aiogram", "abc", marks=pytest.mark.soak),
    ],
)
def test_hosts_that_start_in_the_same_second_end_with_one_poller(
    telegram: Telegram, cast: Cast, folder: Path, kind: str, names: str
) -> None:
    """Within a minute one of them has the bot to itself; when it is killed, no message waits for long."""
    hosts = Hosts(cast, folder, kind)
    began = telegram.control.now()
    telegram.push(100_000, every=1.0)
    hosts.start(*names)
    rows = wait_rows(
        telegram, lambda rows: settled(telegram, rows) != "", timeout=SETTLED_WITHIN + SETTLED_FOR
    )
    first = settled(telegram, rows)
    assert telegram.control.now() - began <= SETTLED_WITHIN + SETTLED_FOR

    telegram.control.stop_push(telegram.bot_id)
    last = telegram.pushed()[-1]
    telegram.wait_for(lambda row: last in row.confirmed)
    hosts.bots[first].kill()
    made = telegram.push()[0]
    row = telegram.wait_for(
        lambda row: row.poller != first and row.limit != 1 and made.update_id in row.update_ids
    )
    assert row.ended_at is not None
    assert row.ended_at - made.at < WAITS
    check_that_nobody_failed(hosts)
