"""What is special about etcd, against real servers: sentences, lost data, restarts, many bots, real pollers."""

from __future__ import annotations

import time

import pytest

from onepoller.testing.botapi import overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.servers import Etcd

pytestmark = pytest.mark.slow


def test_a_killed_holder_is_followed_within_its_lease(
    telegram: Telegram, bots: Bots, etcd_server: Etcd
) -> None:
    """Two real processes: kill -9 the one that polls, and the other one polls."""
    store = f"{etcd_server.url}?prefix=pollers"
    holder = bots.bare("a", store=store)
    telegram.wait_parked("a")
    standby = bots.bare("b", store=store)
    standby.wait_said(role="standby")
    holder.kill()
    killed = time.monotonic()
    telegram.wait_parked("b")
    assert time.monotonic() - killed < 2.0 + 1.0
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert overlaps(telegram.rows()) == []
