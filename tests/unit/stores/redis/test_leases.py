"""When to look at the sessions of others."""

from __future__ import annotations

import pytest

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.leases import Leases

ONE = SessionId("one")
KNOWN = [b"{}", None]


def leases() -> Leases:
    """Those of one session, which is to be looked at."""
    made = Leases(Keys("test"), pause=1.0)
    made.know([ONE])
    return made


def test_a_living_session_is_looked_at_when_its_lease_would_end() -> None:
    """Not before: it costs nothing meanwhile."""
    made = leases()
    assert list(made.asked(100.0)) == [ONE]
    assert not made.told(ONE, [4000, KNOWN], 100.0)
    assert made.due == pytest.approx(104.0, abs=0.01)
    assert made.asked(103.9) == {}


def test_a_silent_session_is_told_again_and_again_and_ever_more_rarely() -> None:
    """Until somebody ends it; who wanted something of it has heard by then."""
    made = leases()
    moments = []
    now = 0.0
    while now < 400:
        assert made.told(ONE, [-2, KNOWN], now)
        moments.append(now)
        now = made.due
    assert moments == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0, 303.0, 363.0]


@pytest.mark.parametrize("kept", [[None, None], [b"{}", b"1"]])
def test_a_session_that_is_over_is_not_looked_at_any_more(kept: list[bytes | None]) -> None:
    """Ended, or forgotten by the server."""
    made = leases()
    assert not made.told(ONE, [-2, kept], 0.0)
    assert made.due == float("inf")


def test_a_session_that_has_left_the_list_is_not_looked_at() -> None:
    """Its process has said goodbye."""
    made = leases()
    made.know([])
    assert made.due == float("inf")
