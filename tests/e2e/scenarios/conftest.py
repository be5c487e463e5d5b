"""What the scenarios share: one who starts bots of every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.proxy.sidecars import Lacking, Sidecars
from tests.e2e.scenarios.frameworks import Cast


@pytest.fixture
def cast(telegram: Telegram, bots: Bots, tmp_path: Path, lacking: Lacking) -> Iterator[Cast]:
    """Give a maker of bots; all of them, and the proxies, share the state directory of `bots`."""
    sidecars = Sidecars(telegram, tmp_path, lacking)
    yield Cast(bots, sidecars)
    sidecars.close()
