"""Quick records behave as the frozen dataclasses that they are."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field

import pytest

from onepoller.coordination.record import quick, replace


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Two fields without a default, one before a field that has one, and one that is made anew."""

    x: int
    name: str = "origin"
    y: int
    seen: list[int] = field(default_factory=list)

    def moved(self) -> Point:
        """A method, as records have."""
        return replace(self, x=self.x + 1)


def test_it_is_made_from_names_and_defaults() -> None:
    """And from nothing else."""
    point = Point(x=1, y=2)
    assert (point.x, point.name, point.y, point.seen) == (1, "origin", 2, [])
    assert Point(x=1, y=2).seen is not point.seen
    with pytest.raises(TypeError, match="y"):
        Point(x=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(x=1, y=2, z=3)  # type: ignore[call-arg]


def test_it_is_compared_shown_and_kept_like_any_other() -> None:
    """`fields`, `asdict` and `deepcopy` know it."""
    point = Point(x=1, y=2, seen=[3])
    assert point == Point(x=1, y=2, seen=[3]) != Point(x=1, y=3)
    assert repr(point) == "Point(x=1, name='origin', y=2, seen=[3])"
    assert [one.name for one in dataclasses.fields(point)] == ["x", "name", "y", "seen"]
    assert dataclasses.asdict(point) == {"x": 1, "name": "origin", "y": 2, "seen": [3]}
    assert copy.deepcopy(point) == point


def test_a_replaced_one_is_another() -> None:
    """As with `dataclasses.replace`, which works as well."""
    point = Point(x=1, y=2)
    assert (point.moved(), point.x) == (Point(x=2, y=2), 1)
    assert dataclasses.replace(point, x=2) == point.moved()
    with pytest.raises(AttributeError):
        replace(point, z=1)  # type: ignore[call-arg]
