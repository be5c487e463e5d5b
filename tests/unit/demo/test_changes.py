"""How polling passed on, told from rows made by hand."""

from __future__ import annotations

import pytest

from onepoller.demo.changes import Change, change, poller
from onepoller.testing.botapi import Row


def poll(
    seq: int, by: str, *, arrived: float, ended: float | None = None, closed: float | None = None
) -> Row:
    """Make the row of a poll."""
    return Row(
        seq=seq,
        bot_id=123456789,
        poller=by,
        connection=seq,
        method="getupdates",
        arrived_at=arrived,
        ended_at=ended,
        closed_at=closed,
    )


@pytest.mark.parametrize(
    ("last", "ended_at"),
    [
        pytest.param(poll(1, "a", arrived=1.0, closed=5.25), 5.25, id="its connection was closed"),
        pytest.param(poll(1, "a", arrived=1.0, ended=5.25), 5.25, id="it was answered"),
        pytest.param(poll(1, "a", arrived=1.0, ended=9.0, closed=5.25), 5.25, id="closed, then answered"),
        pytest.param(
            poll(1, "a", arrived=1.0, ended=4.0), 5.0, id="over before the moment: the moment counts"
        ),
        pytest.param(poll(1, "a", arrived=1.0), 5.0, id="not seen to end: the moment counts"),
    ],
)
def test_the_gap_begins_with_the_end_of_the_last_poll(last: Row, ended_at: float) -> None:
    """And ends with the next one's arrival."""
    rows = [last, poll(2, "b", arrived=5.5)]

    assert Change(successor="b", ended_at=ended_at, began_at=5.5) == change(rows, "a", since=5.0)


def test_polls_before_the_moment_are_no_change() -> None:
    """A successor is whoever polls after it."""
    rows = [poll(1, "b", arrived=1.0), poll(2, "a", arrived=2.0)]

    assert change(rows, "a", since=3.0) is None


def test_an_overlap_is_no_negative_gap() -> None:
    """Two pollers at the same time are judged elsewhere."""
    assert Change(successor="b", ended_at=2.0, began_at=1.0).gap == 0.0


def test_the_poller_is_who_polled_last() -> None:
    """By arrival."""
    assert poller([poll(1, "a", arrived=1.0), poll(2, "b", arrived=2.0)]) == "b"


def test_without_polls_nobody_is_the_poller() -> None:
    """An empty name."""
    assert poller([]) == ""
