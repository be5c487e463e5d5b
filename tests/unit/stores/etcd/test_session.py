"""What our own session on an etcd knows: what it held at its end, and when it has something to report."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId, Term, boot_clock
from onepoller.coordination.stores.etcd.session import LARGE, REPORT_EVERY, EtcdSession
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import Claim

BOT = BotId(7000000001)
OWN = SessionId("own")


def holder(*, sent_at: float) -> EtcdSession:
    """A session that holds a bot."""
    session = EtcdSession(OWN, lease=Lease.of(10), sent_at=sent_at, lease_id=1, floor=Term(5), losses=0)
    session.seen([Claim(bot_id=BOT, holder=OWN, term=Term(5))])
    return session


def test_it_knows_what_it_held_when_it_ended() -> None:
    """It may have it again."""
    session = holder(sent_at=boot_clock())
    session.end()
    session.end()
    assert session.had == {BOT}
    assert session.held == []


def test_what_it_had_before_its_deadline_passed_is_nothing_to_come_back_to() -> None:
    """Somebody else may have had it since."""
    session = holder(sent_at=boot_clock() - 10.0)
    session.end()
    assert not session.had


def test_a_small_report_is_written_when_it_has_changed() -> None:
    """With each beat, if need be."""
    session = holder(sent_at=0.0)
    assert session.has_news(b"one", 100.0)
    session.reported(b"one", 100.0)
    assert (session.has_news(b"one", 101.0), session.has_news(b"two", 101.0)) == (False, True)


def test_a_large_report_waits() -> None:
    """What was written before stays on the server's disk for a while."""
    session = holder(sent_at=0.0)
    session.reported(b"", 100.0)
    large = b"x" * (LARGE + 1)
    assert not session.has_news(large, 101.0)
    assert session.has_news(large, 100.0 + REPORT_EVERY)
