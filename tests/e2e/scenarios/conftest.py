"""What the scenarios share: one who starts bots of every adapter, aiogram's from a warm parent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import ROOT, Bots
from tests.e2e.bots.warm import Warm
from tests.e2e.proxy.sidecars import Lacking, Sidecars
from tests.e2e.scenarios.frameworks import Cast


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Give the parent of all bots of aiogram: it imports aiogram while the first of them is waited for."""
    made = Warm(dict(os.environ) | {"PYTHONPATH": str(ROOT)})
    yield made
    made.close()


@pytest.fixture
def bots(telegram: Telegram, warm: Warm, tmp_path: Path) -> Iterator[Bots]:
    """Give a maker of bot processes that share one state directory; they are ended with the test."""
    made = Bots(telegram, tmp_path)
    made.popen_of["aiogram"] = warm.popen
    yield made
    made.close()


@pytest.fixture
def cast(telegram: Telegram, bots: Bots, tmp_path: Path, lacking: Lacking) -> Iterator[Cast]:
    """Give a maker of bots; all of them, and the proxies, share the state directory of `bots`."""
    sidecars = Sidecars(telegram, tmp_path, lacking)
    yield Cast(bots, sidecars)
    sidecars.close()
