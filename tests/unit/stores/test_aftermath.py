"""After a server has lost data: what was ours is free for us, what was not seems to be held."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.engine import Aftermath
from onepoller.coordination.stores.seam import Claim, Liveness, Snapshot

OURS, THEIRS, WRITTEN = BotId(1), BotId(2), BotId(3)
AFTER = Aftermath(lost=SessionId("lost"), had={OURS}, floor=Term(100), until=5.0, lease=10.0)
SEEN = Snapshot(
    claims={
        OURS: Claim(bot_id=OURS, holder=SessionId("lost"), term=Term(7), version=3),
        THEIRS: Claim(bot_id=THEIRS),
        WRITTEN: Claim(bot_id=WRITTEN, term=Term(100), version=1),
    },
    wishes={},
    sessions={},
)


def test_what_we_had_is_free() -> None:
    """Also where an older copy of it has come back; its version is the one that stands there."""
    claim = AFTER.shown(SEEN).claims[OURS]
    assert (claim.holder, claim.clean, claim.version) == (None, False, 3)


def test_what_we_had_not_seems_to_be_held() -> None:
    """By somebody who lives: nobody takes it."""
    shown = AFTER.shown(SEEN)
    holder = shown.claims[THEIRS].holder
    assert holder is not None
    assert shown.sessions[holder].liveness is Liveness.ALIVE


def test_what_was_written_since_is_as_it_was_written() -> None:
    """By whomever."""
    assert AFTER.shown(SEEN).claims[WRITTEN] == SEEN.claims[WRITTEN]
