"""HELD, UNCERTAIN, LOST: what heartbeats that fail mean for the claims of a session."""

from __future__ import annotations

import pytest

from onepoller.coordination.clocks import Clocks
from onepoller.coordination.events import Certainty, CertaintyChanged, Event
from onepoller.coordination.outage import Outage
from onepoller.coordination.settings import OnStoreLoss, Settings

HELD, UNCERTAIN, LOST = Certainty.HELD, Certainty.UNCERTAIN, Certainty.LOST


class Case:
    """An outage, its clock, and what it said."""

    def __init__(self, policy: OnStoreLoss = OnStoreLoss.STOP) -> None:
        self.now = 100.0
        self.said: list[Event] = []
        self.outage = Outage(
            settings=Settings(on_store_loss=policy),
            clocks=Clocks(boot=lambda: self.now),
            emit=self.said.append,
        )

    @property
    def states(self) -> list[Certainty]:
        """The changes that were told."""
        return [event.certainty for event in self.said if isinstance(event, CertaintyChanged)]


def test_each_change_is_told_once() -> None:
    """However many heartbeats fail."""
    case = Case()
    for _ in range(3):
        case.outage.failed(claims=5, left=4.0)
    for _ in range(3):
        case.outage.expired()
    for _ in range(3):
        case.outage.answered()

    assert case.states == [UNCERTAIN, LOST, HELD]
    assert {e.claims for e in case.said if isinstance(e, CertaintyChanged)} == {5}


def test_a_deadline_that_passes_without_a_failed_heartbeat_loses_nothing() -> None:
    """A frozen process has to ask first."""
    case = Case()

    assert not case.outage.expired()
    assert case.states == []


@pytest.mark.parametrize(
    ("policy", "stands_by", "holds_on"), [(OnStoreLoss.STOP, True, False), (OnStoreLoss.HOLD, False, True)]
)
def test_the_deadline_ends_the_polling_unless_told_to_hold(
    policy: OnStoreLoss, stands_by: bool, holds_on: bool
) -> None:
    """The written rule, and the other one."""
    case = Case(policy)
    case.outage.failed(claims=1, left=4.0)

    assert case.outage.expired() is stands_by
    assert case.outage.holds_on is holds_on
    assert case.outage.answered()
    assert not case.outage.holds_on


def test_who_was_frozen_holds_on_to_nothing_before_it_has_tried_the_store_again() -> None:
    """Its store may have come back and given its claims away."""
    case = Case(OnStoreLoss.HOLD)
    case.outage.failed(claims=1, left=4.0)
    case.now += 10.0
    assert not case.outage.holds_on
    case.outage.failed(claims=1, left=-6.0)
    assert case.outage.holds_on


def test_nothing_is_held_on_to_once_the_session_is_over() -> None:
    """The store has answered."""
    case = Case(OnStoreLoss.HOLD)
    case.outage.failed(claims=1, left=4.0)
    case.outage.over()
    case.outage.failed(claims=1, left=4.0)

    assert not case.outage.holds_on
