"""After a server has lost data: what was ours is free for us, and what may be somebody's is not."""

from __future__ import annotations

import pytest

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.engine import Aftermath
from onepoller.coordination.stores.seam import Claim, Liveness, Snapshot

OURS, THEIRS = BotId(1), BotId(2)
LOST, OLD, NEW = SessionId("lost"), SessionId("old"), SessionId("new")
AFTER = Aftermath(lost=LOST, had={OURS}, floor=Term(100), until=5.0, lease=10.0)


@pytest.mark.parametrize(
    ("claim", "holder"),
    [
        (Claim(bot_id=OURS), None),
        (Claim(bot_id=OURS, version=3, holder=LOST, term=Term(7)), None),
        (Claim(bot_id=OURS, version=4, holder=OLD, term=Term(99)), None),
        (Claim(bot_id=OURS, version=5, holder=NEW, term=Term(100)), NEW),
        (Claim(bot_id=THEIRS), LOST),
        (Claim(bot_id=THEIRS, version=4, term=Term(99)), LOST),
        (Claim(bot_id=THEIRS, version=4, holder=OLD, term=Term(99)), OLD),
        (Claim(bot_id=THEIRS, version=5, term=Term(100)), None),
    ],
    ids=[
        "ours, of which nothing is left, is free",
        "ours, which came back as we had it, is free",
        "ours, which came back with an older holder, is free",
        "ours that was taken since is the taker's",
        "another's, of which nothing is left, is held",
        "another's, which came back free, is held",
        "another's, which came back with a holder, is that one's",
        "another's that was let go since is free",
    ],
)
def test_who_holds_a_claim(claim: Claim, holder: SessionId | None) -> None:
    """In the version that stands on the server, so that it can be swapped; who lost it seems to live."""
    shown = AFTER.shown(Snapshot(claims={claim.bot_id: claim}, wishes={}, sessions={}))
    assert shown.claims[claim.bot_id].holder == holder
    assert shown.claims[claim.bot_id].version == claim.version
    assert shown.sessions[LOST].liveness is Liveness.ALIVE


def test_what_we_had_was_not_left_in_good_order() -> None:
    """We may have polled until a moment ago."""
    seen = Snapshot(claims={OURS: Claim(bot_id=OURS, holder=LOST, term=Term(7))}, wishes={}, sessions={})
    assert not AFTER.shown(seen).claims[OURS].clean


def test_what_was_written_since_is_as_it_was_written() -> None:
    """By whomever."""
    written = Claim(bot_id=THEIRS, version=1, term=Term(100))
    assert AFTER.shown(Snapshot(claims={THEIRS: written}, wishes={}, sessions={})).claims == {THEIRS: written}
