"""A clock that tests move by hand, a ledger on it, and the identity of a process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from onepoller.coordination.identity import Identity
from onepoller.metrics import Ledger


@pytest.fixture
def clock() -> SimpleNamespace:
    """Give a clock: `clock.now` are its seconds."""
    return SimpleNamespace(now=1_000_000_000.0)


@pytest.fixture
def ledger(clock: SimpleNamespace) -> Ledger:
    """Give a ledger on that clock."""
    return Ledger(wall=lambda: float(clock.now), clock=lambda: float(clock.now))


@pytest.fixture
def me() -> Identity:
    """Give the identity of a process."""
    return Identity(
        host="alpha", boot_id="", pid_namespace=0, pid=811, start_ticks=0, started_at=0.0, label="blue"
    )
