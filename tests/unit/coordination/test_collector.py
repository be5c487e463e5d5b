"""The garbage collector while a fleet changes hands."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from onepoller.coordination.collector import FLEET, uncollected


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()


def test_it_is_held_back_for_a_fleet() -> None:
    """And goes on afterwards, whatever happened."""
    seen: list[bool] = []

    def deal() -> None:
        with uncollected(FLEET):
            seen.append(gc.isenabled())
            raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        deal()
    assert (seen, gc.isenabled()) == ([False], True)


def test_a_few_bots_leave_it_alone() -> None:
    """They are over before it is due."""
    with uncollected(FLEET - 1):
        assert gc.isenabled()


def test_where_the_program_has_switched_it_off_it_stays_off() -> None:
    """It is the program's."""
    gc.disable()
    with uncollected(FLEET):
        pass
    assert not gc.isenabled()
