"""The checks notice mistakes: each is planted, and some run shows it; without it the same runs are well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.mistakes import MISTAKES, Mistake
from tests.simulation.planted import right, search

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_noticed(
    mistake: Mistake, record_property: Callable[[str, object], None]
) -> None:
    """By a check, in one of the first runs; and no check complains of those runs without the mistake."""
    found = search(mistake)
    record_property("planted", found.row)

    assert found.caught
    assert [right(key).breaches for key in found.tried] == [()] * len(found.tried)
