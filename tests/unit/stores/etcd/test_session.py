"""What our own session on an etcd knows: when it has something to report."""

from __future__ import annotations

from onepoller.coordination.identity import SessionId, Term
from onepoller.coordination.stores.etcd.session import LARGE, REPORT_EVERY, EtcdSession
from onepoller.coordination.stores.lease import Lease

OWN = SessionId("own")


def opened() -> EtcdSession:
    """A session that has reported nothing."""
    return EtcdSession(OWN, lease=Lease.of(10), sent_at=0.0, lease_id=1, floor=Term(5), losses=0)


def test_a_small_report_is_written_when_it_has_changed() -> None:
    """With each beat, if need be."""
    session = opened()
    assert session.has_news(b"one", 100.0)
    session.reported(b"one", 100.0)
    assert (session.has_news(b"one", 101.0), session.has_news(b"two", 101.0)) == (False, True)


def test_a_large_report_waits() -> None:
    """What was written before stays on the server's disk for a while."""
    session = opened()
    session.reported(b"", 100.0)
    large = b"x" * (LARGE + 1)
    assert not session.has_news(large, 101.0)
    assert session.has_news(large, 100.0 + REPORT_EVERY)
