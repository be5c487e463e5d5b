"""The histogram."""

from __future__ import annotations

from onepoller.metrics.histogram import Histogram


def test_counts_are_cumulative_and_a_bound_belongs_below() -> None:
    """A value equal to a bound is in its bucket; labels are floats, as Prometheus 3 has them."""
    histogram = Histogram((0.5, 60.0))
    for value in (0.5, 0.6, 60.0, 61.0):
        histogram.observe(value)

    assert histogram.buckets() == [("0.5", 1), ("60.0", 3), ("+Inf", 4)]
    assert histogram.total == 122.1


def test_a_copy_stays_as_it_was() -> None:
    """What is read does not change while it is written out."""
    histogram = Histogram((1.0,))
    copy = histogram.copy()
    histogram.observe(0.5)

    assert copy.buckets() == [("1.0", 0), ("+Inf", 0)]
