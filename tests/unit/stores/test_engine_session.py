"""What a session on a server knows of itself without asking."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.engine import EngineSession
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import Claim

BOT = BotId(7000000001)
OWN, OTHER = SessionId("own"), SessionId("other")


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def holder() -> tuple[EngineSession, Clock]:
    """A session that holds the bot in term 5."""
    clock = Clock()
    session = EngineSession(OWN, lease=Lease.of(10, margin=2), sent_at=clock.now, clock=clock)
    session.seen([Claim(bot_id=BOT, holder=OWN, term=Term(5))])
    return session, clock


def test_it_has_what_it_was_seen_to_have() -> None:
    """In that term, and in no other."""
    session, _ = holder()
    assert (session.has_claim(BOT, Term(5)), session.has_claim(BOT, Term(6))) == (True, False)


def test_it_has_nothing_after_its_deadline() -> None:
    """Others may have taken it by then, and nobody would have told us."""
    session, clock = holder()
    clock.now += 8
    assert not session.has_claim(BOT, Term(5))


def test_a_beat_counts_from_when_it_was_sent() -> None:
    """The server may have had it at once, and its answer may have been long on its way."""
    session, clock = holder()
    clock.now += 7
    session.beaten(clock.now - 3)
    assert session.deadline == 100 + 4 + 8


def test_an_older_answer_moves_nothing_back() -> None:
    """Answers may come in another order than they were sent."""
    session, _ = holder()
    session.beaten(90.0)
    assert session.deadline == 108


def test_what_somebody_else_holds_is_not_ours() -> None:
    """As soon as it was seen."""
    session, _ = holder()
    session.seen([Claim(bot_id=BOT, holder=OTHER, term=Term(6))])
    assert not session.has_claim(BOT, Term(5))


def test_who_is_over_holds_nothing() -> None:
    """For good."""
    session, _ = holder()
    session.end()
    session.beaten(200.0)
    assert not session.has_claim(BOT, Term(5))


def test_it_knows_what_it_held_when_it_ended() -> None:
    """It may have it again."""
    session, _ = holder()
    session.end()
    session.end()
    assert session.had == {BOT}


def test_what_it_gave_up_is_nothing_to_come_back_to() -> None:
    """Somebody else may have it now."""
    session, _ = holder()
    session.give_up()
    assert (session.is_over, session.had) == (True, frozenset())


def test_what_was_lost_stays_known_when_it_is_closed() -> None:
    """A session that has ended has nothing left to give up."""
    session, _ = holder()
    session.end()
    session.give_up()
    assert session.had == {BOT}


def test_what_it_had_before_its_deadline_passed_is_nothing_to_come_back_to() -> None:
    """Somebody else may have had it since."""
    session, clock = holder()
    clock.now += 8
    session.end()
    assert not session.had
