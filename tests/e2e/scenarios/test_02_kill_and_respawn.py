"""Scenario 2: `kill -9` in the middle of a poll, and a supervisor that starts the bot again, three times."""

from __future__ import annotations

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.scenarios.frameworks import EVERYBODY, Cast
from tests.e2e.scenarios.played import kills_and_respawns

pytestmark = pytest.mark.slow
SHORT = pytest.param(2.0, 2, id="short")
FULL = pytest.param(10.0, 10, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(300)])


@pytest.mark.parametrize("kind", [*EVERYBODY, pytest.param("bare", marks=pytest.mark.soak)])
@pytest.mark.parametrize(("lease", "timeout"), [SHORT, FULL])
def test_each_respawn_receives_within_a_lease(
    telegram: Telegram, cast: Cast, lease: float, timeout: int, kind: str
) -> None:
    """No exit loop, no fixed sleep, no visible conflict; only what the framework had confirmed is lost."""

    def start(name: str, **settings: object) -> object:
        return cast.start(kind, name, "--timeout", str(timeout), lease=lease, **settings)

    kills_and_respawns(telegram, start, lease=lease, confirms_first=kind not in {"bare", "httpx"})
