"""How measured things are judged and written."""

from __future__ import annotations

import pytest

from onepoller.demo.verdict import Finding, all_kept, duration, none_of, under


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.0034, "3.4 ms"),
        (0.0061, "6.1 ms"),
        (0.048, "48 ms"),
        (2.015, "2.02 s"),
        (15.0, "15 s"),
    ],
)
def test_a_duration_shows_its_size(seconds: float, text: str) -> None:
    """Two or three digits, in the unit that suits."""
    assert text == duration(seconds)


@pytest.mark.parametrize(
    ("finding", "is_kept"),
    [
        pytest.param(none_of("409 answers", 0), True, id="none"),
        pytest.param(none_of("409 answers", 1), False, id="one"),
        pytest.param(under("gap", 0.019, 0.020), True, id="under the bound"),
        pytest.param(under("gap", 0.020, 0.020), False, id="at the bound"),
        pytest.param(Finding(what="409 answers", measured="4"), True, id="not promised"),
    ],
)
def test_one_finding_decides(finding: Finding, is_kept: bool) -> None:
    """Every promise counts, and nothing else does."""
    assert is_kept is all_kept([none_of("before", 0), finding])
