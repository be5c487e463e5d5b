"""What a deadline that is near, passed, or held past means for sending and delivering."""

from __future__ import annotations

import pytest

from onepoller.coordination.clocks import Clocks
from onepoller.coordination.events import Cause
from onepoller.coordination.fence import LOOK_EVERY, Fence
from onepoller.coordination.grant import Grant
from onepoller.coordination.identity import Term
from tests.unit.coordination.bench import FakeClaims, Session

AHEAD = 0.2


class Case:
    """A fence whose deadline lies at 100 s, on a server."""

    def __init__(self, now: float, *, holds_on: bool = False, fence_wait: float = 10.0) -> None:
        self.now = now
        claims, session = FakeClaims(), Session()
        claims.holds_on = holds_on
        session.deadline, session.fence_wait = 100.0, fence_wait
        clocks = Clocks(monotonic=lambda: self.now, boot=lambda: self.now)
        self.fence = Fence(claims, clocks=clocks, ahead=AHEAD)
        self.grant = Grant(session=session, term=Term(1), decided_at=0.0, cause=Cause.FREE)


@pytest.mark.parametrize(
    ("now", "near", "fresh"), [(99.0, False, True), (99.9, True, True), (100.0, True, False)]
)
def test_a_poll_is_ended_before_nothing_may_be_sent_any_more(now: float, near: bool, fresh: bool) -> None:
    """What takes a moment has begun by then."""
    case = Case(now)
    assert (case.fence.is_near(case.grant), case.fence.is_fresh(case.grant)) == (near, fresh)


@pytest.mark.parametrize(("fence_wait", "fresh"), [(10.0, True), (0.0, False)])
def test_who_holds_on_needs_no_answer_of_a_server(fence_wait: float, fresh: bool) -> None:
    """Of another store it needs one: that is asked before each delivery."""
    case = Case(150.0, holds_on=True, fence_wait=fence_wait)
    assert case.fence.is_fresh(case.grant) is fresh
    assert case.fence.is_held_past(case.grant) is fresh


def test_one_look_a_minute_is_due_past_the_deadline() -> None:
    """And none before it, or without a claim."""
    case = Case(99.0, holds_on=True)
    assert not case.fence.is_to_look(case.grant)
    case.now = 101.0
    assert not case.fence.is_to_look(None)
    assert case.fence.is_to_look(case.grant)
    assert not case.fence.is_to_look(case.grant)
    case.now += LOOK_EVERY
    assert case.fence.is_to_look(case.grant)
