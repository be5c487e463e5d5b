"""Batches, cut into parts."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.redis.writing import CHUNK, parts
from onepoller.coordination.stores.seam import Batch, Claim, Swap, Wish

ONE = SessionId("one")
MANY = [BotId(number) for number in range(1, 2 * CHUNK + 2)]


def test_an_empty_batch_is_one_part() -> None:
    """Whether the session is over is found out all the same."""
    (part,) = parts(Batch())
    assert [*part.swaps, *part.wishes, *part.withdrawn, *part.wake] == []


def test_a_wish_goes_with_the_swap_of_its_bot() -> None:
    """Where the swap is refused, the same step leaves the wish."""
    swaps = [Swap(claim=Claim(bot_id=bot_id)) for bot_id in MANY]
    cut = parts(Batch(swaps=swaps, withdrawn=MANY))
    assert [[swap.claim.bot_id for swap in part.swaps] for part in cut] == [list(p.withdrawn) for p in cut]
    assert [len(part.swaps) for part in cut] == [CHUNK, CHUNK, 1]


def test_everything_is_written_once() -> None:
    """Swaps, wishes and withdrawals of different numbers."""
    swaps = [Swap(claim=Claim(bot_id=bot_id)) for bot_id in MANY[:3]]
    wishes = [Wish(bot_id=bot_id, session=ONE) for bot_id in MANY]
    cut = parts(Batch(swaps=swaps, wishes=wishes, withdrawn=MANY[1 : CHUNK + 9]))
    assert [swap for part in cut for swap in part.swaps] == swaps
    assert [wish for part in cut for wish in part.wishes] == wishes
    assert sorted(bot_id for part in cut for bot_id in part.withdrawn) == MANY[1 : CHUNK + 9]


def test_the_last_part_wakes() -> None:
    """By then everything can be seen."""
    wishes = [Wish(bot_id=bot_id, session=ONE) for bot_id in MANY]
    cut = parts(Batch(wishes=wishes, wake={SessionId("b"), SessionId("a")}))
    assert [list(part.wake) for part in cut] == [[], [], ["a", "b"]]
