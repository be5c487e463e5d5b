"""Claims, wishes and sessions as Leases, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId, SessionId, Term, first_term
from onepoller.coordination.stores.kubernetes.body import LONGEST, Body, packed, unpacked
from onepoller.coordination.stores.kubernetes.claim_lease import MOST_TRANSITIONS, ClaimLease
from onepoller.coordination.stores.kubernetes.names import Names
from onepoller.coordination.stores.kubernetes.news import News
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease
from onepoller.coordination.stores.kubernetes.wishes_lease import (
    NEW,
    place_of,
    placed,
    wishes_body,
    wishes_of,
)
from onepoller.coordination.stores.records import claim_text
from onepoller.coordination.stores.seam import Claim, Wish, WishMode
from onepoller.testing.store_contract.rig import identity
from tests.e2e.engines.kubernetes_api.rules import check, decoded

BOT, ONE = BotId(7000000001), SessionId("0123456789abcdef")
NAMES = Names("onepoller")
CREATED = "2026-11-29T03:00:00Z"


def kept(lease: Body, *, version: str = "1001") -> Body:
    """A Lease as the server would keep it; what it would refuse, or drop, fails the test."""
    understood, dropped = decoded(lease)
    assert dropped == []
    check(understood)
    made: dict[str, Any] = {"uid": "u-1", "creationTimestamp": CREATED, "resourceVersion": version}
    understood["metadata"] |= made
    return understood


def claim_lease(claim: Claim) -> ClaimLease:
    """A claim as it is read back."""
    lease = ClaimLease(claim).body(NAMES, claim, holder="host pid 1", lease=10.0, now=1.0)
    return ClaimLease.of(BOT, kept(lease))


def test_a_claim_begins_with_the_creation_of_its_lease() -> None:
    """By the server's clock; a term that is later stays."""
    first = first_term(1795921200.0)
    begun = claim_lease(Claim(bot_id=BOT, version=1, term=Term(1)))
    later = claim_lease(Claim(bot_id=BOT, version=1, term=Term(first + 7)))
    assert (begun.claim.term, later.claim.term) == (first, first + 7)


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"bot": 1}'])
def test_a_lease_without_our_record_is_a_claim_that_was_never_written(spoilt: str) -> None:
    """Somebody made it, or edited it; its next write takes it over."""
    lease = kept(ClaimLease(Claim(bot_id=BOT)).body(NAMES, Claim(bot_id=BOT), holder="", lease=10.0, now=1.0))
    lease["metadata"]["annotations"] = {"onepoller/record": spoilt}
    found = ClaimLease.of(BOT, lease)
    assert (found.claim, found.exists) == (Claim(bot_id=BOT), True)


def test_a_transition_is_a_change_of_holder() -> None:
    """Neither the first grant nor a release is one; the count ends where the field does."""
    held = Claim(bot_id=BOT, version=1, holder=ONE, term=Term(1))
    known = replace(claim_lease(held), transitions=MOST_TRANSITIONS - 1)

    def transitions(claim: Claim, before: ClaimLease) -> int:
        spec = before.body(NAMES, claim, holder="", lease=10.0, now=1.0)["spec"]
        return int(spec["leaseTransitions"])

    other = replace(held, holder=SessionId("fedcba9876543210"))
    assert transitions(held, ClaimLease(Claim(bot_id=BOT))) == 0
    assert transitions(replace(held, holder=None), known) == MOST_TRANSITIONS - 1
    assert transitions(other, known) == MOST_TRANSITIONS
    assert transitions(other, replace(known, transitions=MOST_TRANSITIONS)) == MOST_TRANSITIONS


def test_a_later_state_is_known_by_its_version() -> None:
    """Of the same Lease; one that was made anew is another one, and one that is gone comes after it."""
    held = claim_lease(Claim(bot_id=BOT, version=1, holder=ONE))
    assert replace(held, version="1002").is_later_than(held)
    assert not replace(held, version="999").is_later_than(held)
    assert not replace(held, version="1002", uid="u-2").is_later_than(held)
    assert not held.is_later_than(ClaimLease.of(BOT, None))


def test_a_claims_record_is_readable() -> None:
    """JSON in one annotation."""
    claim = Claim(bot_id=BOT, version=3, holder=ONE, term=Term(5))
    lease = ClaimLease(claim).body(NAMES, claim, holder="host", lease=10.0, now=1.0)
    assert lease["metadata"]["annotations"] == {"onepoller/record": claim_text(claim)}


def wish(bot: int, since: int = NEW) -> Wish:
    """A wish of the session."""
    return Wish(bot_id=BotId(bot), session=ONE, since=since, priority=2, mode=WishMode.REPLACE, aim=Term(9))


def wishes_lease(wishes: list[Wish], version: str = "1001") -> Body:
    """Their Lease as the server keeps it."""
    owner = {"metadata": {"name": "onepoller-session-x", "uid": "u-0"}}
    return kept(wishes_body(NAMES, ONE, wishes, before=None, owner=owner), version=version)


def test_a_new_wish_stands_where_its_write_stands() -> None:
    """The server's version is its place, for its owner and for everybody who reads."""
    lease = wishes_lease([wish(1, since=900), wish(2)], version="1005")
    assert list(wishes_of(lease)) == [wish(1, since=900), wish(2, since=1005)]
    assert placed([wish(1, since=900), wish(2)], place_of(lease)) == {
        1: wish(1, since=900),
        2: wish(2, since=1005),
    }


def test_spoilt_wishes_are_none() -> None:
    """The others' still count."""
    lease = wishes_lease([])
    lease["metadata"]["annotations"] = {"onepoller/record": "[[1]]"}
    assert list(wishes_of(lease)) == []


def test_many_wishes_fit_and_too_many_are_told() -> None:
    """Ten thousand, each with a term that it aims at."""
    many = [replace(wish(7_000_000_000 + 7919 * n), aim=Term(2**50 + 104729 * n)) for n in range(10_000)]
    assert len(list(wishes_of(wishes_lease(many)))) == 10_000
    too_many = [replace(wish(n * n * n), aim=Term(n**4)) for n in range(60_000)]
    with pytest.raises(StoreUnavailable, match="divide them among several processes"):
        wishes_lease(too_many)


def test_a_session_is_read_as_it_was_written() -> None:
    """Identity, the exact lease, beats, and who is woken."""
    one = SessionLease(
        id=ONE,
        identity=identity("blue"),
        lease=0.6,
        beats=3,
        writes=2,
        news=News(frozenset([ONE]), frozenset([BOT])),
        report=b"rows",
    )
    assert SessionLease.of(kept(one.body(NAMES, now=1.0))) == one


def test_an_ended_session_has_no_holder() -> None:
    """In the standard field; our record still says who it was."""
    one = SessionLease(id=ONE, identity=identity("blue"), lease=10.0)
    lease = replace(one, kept=kept(one.body(NAMES, now=1.0))).ended().body(NAMES, now=99.0)
    assert (lease["spec"]["holderIdentity"], lease["spec"]["renewTime"]) == (
        "",
        "1970-01-01T00:00:01.000000Z",
    )
    read = SessionLease.of(kept(lease))
    assert read is not None
    assert (read.is_over, read.identity.label) == (True, "blue")


@pytest.mark.parametrize("spoilt", ["", "{}", json.dumps({"identity": {"host": "x"}, "lease": 1})])
def test_a_spoilt_session_is_none(spoilt: str) -> None:
    """Nothing is concluded from it."""
    lease = kept(SessionLease(id=ONE, identity=identity(), lease=10.0).body(NAMES, now=1.0))
    lease["metadata"]["annotations"] = {"onepoller/record": spoilt}
    assert SessionLease.of(lease) is None


@pytest.mark.parametrize("text", ["", "short", "long " * 10_000])
def test_what_is_packed_comes_back(text: str) -> None:
    """And fits."""
    assert unpacked(packed(text)) == text
    assert len(packed(text)) < LONGEST
