"""A session on PostgreSQL, as far as it needs no server: its doubt, its lock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from onepoller.coordination.identity import BotId, SessionId, Term, boot_clock, new_session_id
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.postgresql.link import Link
from onepoller.coordination.stores.postgresql.names import Names, lock_key
from onepoller.coordination.stores.postgresql.session import PostgreSQLSession
from onepoller.coordination.stores.seam import Claim

BOT = BotId(1)


def session(*, is_direct: bool = True) -> PostgreSQLSession:
    """One that has just beaten, and holds a claim."""
    made = PostgreSQLSession(
        SessionId("00000000000000ff"),
        lease=Lease.of(3600.0),
        sent_at=boot_clock(),
        link=cast("Link", SimpleNamespace(is_direct=is_direct, is_cut=lambda: False)),
        begun=Term(1),
    )
    made.seen([Claim(bot_id=BOT, holder=made.id, term=Term(5))])
    return made


def test_a_session_in_doubt_delivers_nothing() -> None:
    """Its deadline has passed, whatever was left of it."""
    own = session()
    assert own.has_claim(BOT, Term(5))
    own.lose_link()
    assert not own.has_claim(BOT, Term(5))
    assert own.deadline < boot_clock()


def test_a_session_without_a_lock_has_until_its_deadline() -> None:
    """Nobody follows it before."""
    own = session(is_direct=False)
    own.lose_link()
    assert own.has_claim(BOT, Term(5))


def test_a_session_that_was_proved_again_goes_on() -> None:
    """Doubt ends nothing."""
    own = session()
    own.lose_link()
    own.beaten(boot_clock())
    assert own.has_claim(BOT, Term(5))


def test_doubt_never_gives_time() -> None:
    """A deadline that has passed long ago is not moved nearer."""
    own = session()
    own._beaten_at = -1e9
    own.lose_link()
    assert own.deadline < -1e8


def test_a_lock_is_the_sessions_id_as_the_servers_number() -> None:
    """All 64 bits of it, with a sign."""
    assert lock_key(SessionId("00000000000000ff")) == 255
    assert lock_key(SessionId("ffffffffffffffff")) == -1
    assert -(2**63) <= lock_key(new_session_id()) < 2**63


def test_a_prefix_names_schema_and_channels() -> None:
    """A statement is written with them."""
    names = Names("my-bots")
    assert names.written("SELECT {s}.f({channel})") == "SELECT \"my-bots\".f('my-bots')"
    assert names.channel_of(SessionId("ff")) == "my-bots:ff"
