"""Claims and wishes as text: what is written is what is read."""

from __future__ import annotations

import pytest

from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.records import wish_text
from onepoller.coordination.stores.redis import rows
from onepoller.coordination.stores.seam import Claim, Episode, Offset, Standing, Swap, Wish, WishMode

BOT = BotId(7)
ONE, OTHER = SessionId("one"), SessionId("other")


@pytest.mark.parametrize(
    "claim",
    [
        Claim(bot_id=BOT),
        Claim(bot_id=BOT, version=3, holder=ONE, term=Term(2**60), since=1796000000.123, clean=False),
        Claim(
            bot_id=BOT,
            heir=OTHER,
            offset=Offset(value=42, api_root="https://api.test with spaces", at=2.5),
            episode=Episode(kind=Kind.UNKNOWN, since=3.5, conflicts=7, detail="a\nline", stands_by=True),
            standing=Standing(tenure=4.5, at=5.5),
        ),
    ],
)
def test_a_claim_is_read_as_it_was_written(claim: Claim) -> None:
    """As the script puts it together, in the next version."""
    _, _, following, holder, term, _, tail, _ = rows.swap_row(
        Swap(claim=claim), first_term=Term(1), required={}
    )
    text = f"{following} {holder} {term} {tail}"
    assert "\n" not in text
    assert rows.claim_of(BOT, text) == claim.written(claim.term)


def test_a_swap_gives_both_terms() -> None:
    """The script chooses: a new holder's is never below the first one of these data."""
    swap = Swap(claim=Claim(bot_id=BOT, term=Term(5), holder=ONE), requires_over=OTHER)
    row = rows.swap_row(swap, first_term=Term(9), required={OTHER: 2})
    assert row[:6] == ["7", "0", "1", "one", "5", "9"]
    assert row[7] == 2


def test_a_wish_is_read_with_its_place() -> None:
    """The place stands in front."""
    wish = Wish(bot_id=BOT, session=ONE, since=12, priority=-3, mode=WishMode.REPLACE, aim=Term(2**60))
    assert rows.placed_wish_of(f"12 {wish_text(wish)}") == wish
