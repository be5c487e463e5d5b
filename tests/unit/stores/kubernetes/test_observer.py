"""Who is silent, by our own clock alone."""

from __future__ import annotations

import math

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease
from onepoller.coordination.stores.seam import Liveness
from onepoller.testing.store_contract.rig import identity

ONE = SessionId("one")


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(beats: int, *, is_over: bool = False) -> SessionLease:
    """A Lease of the session, after so many beats."""
    return SessionLease(id=ONE, identity=identity(), lease=10.0, beats=beats, is_over=is_over)


def watched() -> tuple[Observer, Clock]:
    """An observer who has seen the first beat at 100."""
    clock = Clock()
    observer = Observer(clock)
    observer.see(lease(1))
    return observer, clock


def test_who_is_seen_for_the_first_time_lives() -> None:
    """However old its last beat may be: nobody knows here."""
    observer, _ = watched()
    assert observer.liveness(ONE) is Liveness.ALIVE


def test_a_lease_without_a_new_beat_is_silence() -> None:
    """Counted from when we first saw the last one."""
    observer, clock = watched()
    clock.now += 9.9
    observer.see(lease(1))
    before = observer.liveness(ONE)
    clock.now += 0.1
    assert (before, observer.liveness(ONE)) == (Liveness.ALIVE, Liveness.SILENT)


def test_a_new_beat_begins_anew() -> None:
    """Whatever else has changed in the Lease."""
    observer, clock = watched()
    clock.now += 10
    observer.see(lease(2))
    assert (observer.liveness(ONE), observer.silence(ONE)) == (Liveness.ALIVE, 0.0)


def test_an_answer_that_comes_late_is_no_sign_of_life() -> None:
    """A list and a watch bring the same Lease in any order."""
    observer, clock = watched()
    observer.see(lease(5))
    clock.now += 10
    observer.see(lease(4))
    assert observer.liveness(ONE) is Liveness.SILENT


def test_who_is_over_stays_over() -> None:
    """Also where an older answer comes later."""
    observer, _ = watched()
    observer.see(lease(1, is_over=True))
    observer.see(lease(2))
    assert (observer.liveness(ONE), observer.silent_at()) == (Liveness.OVER, {})


def test_who_is_missing_in_a_list_is_not_proved_over() -> None:
    """The list may be older than the session."""
    observer, clock = watched()
    assert observer.drop_all_but(set()) == [ONE]
    clock.now += math.inf
    assert observer.liveness(ONE) is Liveness.ALIVE
