"""Scenario 1 on every engine: the old instance and the new one run on two hosts."""

from __future__ import annotations

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.hosts import Hosts
from tests.e2e.scenarios.played import rolling_deploy

pytestmark = pytest.mark.slow


def test_a_rolling_deploy_from_host_to_host(telegram: Telegram, bots: Bots, hosts: Hosts) -> None:
    """The standby is ready, sends no poll while the old one polls, and takes over without a loss or a 409."""
    rolling_deploy(telegram, bots, hosts.start, side_by_side=2.0)
