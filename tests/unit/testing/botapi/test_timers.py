"""Deadlines on a clock that is passed in."""

from __future__ import annotations

from onepoller.testing.botapi.timers import Timers


def test_what_is_due_is_called_in_order_with_its_own_moment() -> None:
    """By time, then by the order of making."""
    timers = Timers()
    seen: list[tuple[str, float]] = []
    for name, at in (("c", 3.0), ("a", 1.0), ("b", 1.0), ("d", 9.0)):
        timers.at(at, lambda moment, name=name: seen.append((name, moment)))  # type: ignore[misc]
    timers.run(5.0)

    assert seen == [("a", 1.0), ("b", 1.0), ("c", 3.0)]
    assert timers.next_at() == 9.0


def test_a_cancelled_deadline_never_comes() -> None:
    """Nor does it count as the next one."""
    timers = Timers()
    seen: list[float] = []
    timers.at(1.0, seen.append).cancel()
    timers.at(2.0, seen.append)

    assert timers.next_at() == 2.0
    timers.run(5.0)
    assert seen == [2.0]
    assert timers.next_at() is None


def test_a_deadline_may_make_another_that_is_due() -> None:
    """It is called in the same run."""
    timers = Timers()
    seen: list[float] = []

    def again(moment: float) -> None:
        timers.at(moment + 1, seen.append)

    timers.at(1.0, again)
    timers.run(5.0)

    assert seen == [2.0]
