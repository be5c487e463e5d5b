"""Scenario 1: a rolling deploy under load. The old one polls, the new one is ready as standby, SIGTERM."""

from __future__ import annotations

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.scenarios.frameworks import EVERYBODY, Cast
from tests.e2e.scenarios.played import rolling_deploy

pytestmark = pytest.mark.slow
SHORT = pytest.param(2.0, 2.0, 2, id="short")
FULL = pytest.param(40.0, 10.0, 10, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(300)])


@pytest.mark.parametrize("kind", EVERYBODY)
@pytest.mark.parametrize(("side_by_side", "lease", "timeout"), [SHORT, FULL])
def test_a_rolling_deploy_under_load(
    telegram: Telegram, bots: Bots, cast: Cast, kind: str, *, side_by_side: float, lease: float, timeout: int
) -> None:
    """The standby is ready, sends no poll while the old one polls, and takes over without a loss or a 409."""

    def start(name: str, **settings: object) -> object:
        return cast.start(kind, name, "--timeout", str(timeout), lease=lease, **settings)

    rolling_deploy(telegram, bots, start, side_by_side=side_by_side)
