"""Leases and their margins."""

from __future__ import annotations

import pytest

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.lease import Lease


@pytest.mark.parametrize(("seconds", "margin"), [(10.0, 1.0), (60.0, 6.0), (2.0, 0.5), (1.0, 0.25)])
def test_the_margin_grows_with_the_lease(seconds: float, margin: float) -> None:
    """A tenth, but at least a second, or a quarter of a short lease."""
    assert Lease.of(seconds).margin == margin


def test_the_deadline_lies_before_the_lease_by_the_margin() -> None:
    """It counts from the beat."""
    assert Lease.of(10, margin=3).deadline(100) == 107


@pytest.mark.parametrize(("seconds", "margin"), [(0, None), (-1, None), (10, 0), (10, 10), (10, -1)])
def test_a_lease_that_makes_no_sense_is_refused(seconds: float, margin: float | None) -> None:
    """One sentence, at once."""
    with pytest.raises(SettingsError, match=r"^\w[^.]*\.$"):
        Lease.of(seconds, margin=margin)
