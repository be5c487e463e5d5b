"""Which of a session's reports are written."""

from __future__ import annotations

from onepoller.coordination.stores.engine.reports import LARGE, Reports


def test_a_small_report_is_written_when_it_has_changed() -> None:
    """With each beat, if need be."""
    reports = Reports(large_every=10.0)
    assert reports.is_due(b"one", 100.0)
    reports.written(b"one", 100.0)
    assert not reports.is_due(b"one", 200.0)
    assert reports.is_due(b"two", 101.0)
    assert reports.is_due(b"", 101.0)


def test_a_large_report_waits() -> None:
    """The first one does not."""
    reports = Reports(large_every=10.0)
    first, second = b"1" * (LARGE + 1), b"2" * (LARGE + 1)
    assert reports.is_due(first, 100.0)
    reports.written(first, 100.0)
    assert not reports.is_due(second, 109.9)
    assert reports.is_due(second, 110.0)
