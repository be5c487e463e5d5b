"""What the end-to-end tests of coordination share: a fake server, a bot there for each test, processes."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from onepoller.testing.botapi import Control, spawn
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import ROOT, Bots
from tests.e2e.bots.warm import Warm

_BOT_IDS = itertools.count(7000000101)


@pytest.fixture(scope="session")
def fake_server() -> Iterator[Control]:
    """Give one fake Bot API for all tests; each test has a bot of its own there."""
    with spawn() as control:
        yield control


@pytest.fixture
def telegram(fake_server: Control) -> Iterator[Telegram]:
    """Give a bot that nobody has polled yet. What the control connection logs of itself is held back."""
    loud = [logging.getLogger(name) for name in ("httpx", "httpcore")]
    levels = [logger.level for logger in loud]
    for logger in loud:
        logger.setLevel(logging.WARNING)
    yield Telegram(fake_server, next(_BOT_IDS))
    for logger, level in zip(loud, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Give the parents of all bots: a bot is there at once, and costs no import of its framework."""
    made = Warm(dict(os.environ) | {"PYTHONPATH": str(ROOT)})
    yield made
    made.close()


@pytest.fixture
def bots(telegram: Telegram, warm: Warm, tmp_path: Path) -> Iterator[Bots]:
    """Give a maker of bot processes that share one state directory; they are ended with the test."""
    made = Bots(telegram, tmp_path, popen=warm.popen)
    yield made
    made.close()


@pytest.fixture
def need_root() -> None:
    """Skip where the test cannot mount, or make namespaces."""
    if os.geteuid() != 0:
        pytest.skip("needs root: run the tests as root, as in a container")
