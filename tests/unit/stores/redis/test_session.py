"""Our own session: which reports go with a beat."""

from __future__ import annotations

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.redis.beginning import Beginning
from onepoller.coordination.stores.redis.session import RedisSession


class Clock:
    """It moves when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def session(clock: Clock) -> RedisSession:
    """One that has just been opened."""
    begun = Beginning("1796000000000 run")
    return RedisSession(SessionId("own"), lease=Lease.of(10.0), begun=begun, sent_at=clock.now, clock=clock)


def test_a_small_report_goes_with_the_next_beat() -> None:
    """Unless it says what the last one said."""
    clock = Clock()
    own = session(clock)
    assert own.owes(b"one")
    own.reported(b"one", sent_at=clock.now)
    assert not own.owes(b"one")
    assert own.owes(b"two")


def test_a_large_report_goes_once_a_lease() -> None:
    """That of ten thousand bots is some hundred kilobytes."""
    clock = Clock()
    own = session(clock)
    assert own.owes(b"1" * 100_000)
    own.reported(b"1" * 100_000, sent_at=clock.now)
    clock.now += 9.9
    assert not own.owes(b"2" * 100_000)
    clock.now += 0.1
    assert own.owes(b"2" * 100_000)


def test_a_beginning_is_a_moment_and_a_run() -> None:
    """The first term is that of the moment, and a later one is larger."""
    one, later = Beginning("1796000000000 abc"), Beginning("1796000000001 abc")
    assert one.run == "abc"
    assert later.first_term > one.first_term + 1000
