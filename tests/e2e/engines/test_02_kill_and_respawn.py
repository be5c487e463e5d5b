"""Scenario 2 on every engine: each respawn on another host, so that only the server can say who is dead."""

from __future__ import annotations

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.engines.hosts import LEASE, Hosts
from tests.e2e.scenarios.played import kills_and_respawns

pytestmark = pytest.mark.slow


def test_each_respawn_on_another_host_receives_within_a_lease(telegram: Telegram, hosts: Hosts) -> None:
    """No exit loop, no fixed sleep, no visible conflict; only what the framework had confirmed is lost."""
    kills_and_respawns(telegram, hosts.start, lease=LEASE, confirms_first=True)
