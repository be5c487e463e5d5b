"""The claims as they were read: the newer of two wins, whichever comes last."""

from __future__ import annotations

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.etcd.claims import Claims
from onepoller.coordination.stores.etcd.words import Kept
from onepoller.coordination.stores.records import claim_text
from onepoller.coordination.stores.seam import Claim

BOT, OTHER = BotId(7000000001), BotId(7000000002)


def read(version: int, revision: int) -> Kept:
    """A claim as it was read."""
    return Kept(f"p/claims/{BOT}", claim_text(Claim(bot_id=BOT, version=version)).encode(), revision)


def test_what_was_never_written_is_free() -> None:
    """And counts for nothing."""
    claims = Claims()
    assert (claims.of([BOT]), len(claims)) == ({BOT: Claim(bot_id=BOT)}, 0)


def test_what_we_have_written_is_not_taken_back_by_an_older_reading() -> None:
    """It was sent before, and its answer came after."""
    claims = Claims()
    claims.written([Claim(bot_id=BOT, version=2)], 9)
    assert claims.read([read(1, 5)]) == []
    assert claims.of([BOT])[BOT].version == 2


def test_only_what_is_new_is_told() -> None:
    """The same answer twice tells nothing the second time."""
    claims = Claims()
    assert len(claims.read([read(1, 5)])) == 1
    assert claims.read([read(1, 5)]) == []


def test_what_has_been_deleted_is_forgotten() -> None:
    """Unless it was written since."""
    claims = Claims()
    claims.written([Claim(bot_id=BOT, version=1)], 5)
    claims.written([Claim(bot_id=OTHER, version=1)], 9)
    claims.missing([BOT, OTHER], 7)
    assert set(claims.of(None)) == {OTHER}
