"""What became of each message, told from rows made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onepoller.demo.fates import Fates, fates, given_last
from onepoller.testing.botapi import Pushed, Row

BOT = 123456789


def poll(seq: int, poller: str, *, gives: tuple[int, ...] = (), confirms: tuple[int, ...] = ()) -> Row:
    """Make the row of a poll that was answered at once."""
    return Row(
        seq=seq,
        bot_id=BOT,
        poller=poller,
        connection=seq,
        method="getupdates",
        arrived_at=float(seq),
        ended_at=float(seq),
        how="updates",
        update_ids=gives,
        confirmed=confirms,
    )


def sent(*ids: int) -> list[Pushed]:
    """Make the updates that were pushed."""
    return [Pushed(version=0, bot_id=BOT, number=n, kind="message", at=0.0, update_id=n) for n in ids]


def counts(**some: int) -> Fates:
    """Give the counts of one message, all else 0."""
    none = {"lost_between": 0, "lost_in_queue": 0, "delivered_twice": 0, "handled_twice": 0}
    return Fates(sent=1, **(none | some))


@pytest.mark.parametrize(
    ("rows", "handled", "expected"),
    [
        pytest.param([poll(1, "a", gives=(7,))], {7: 1}, counts(), id="given and handled"),
        pytest.param([], {}, counts(lost_between=1), id="given to nobody is lost between two pollers"),
        pytest.param(
            [poll(1, "a", gives=(7,)), poll(2, "a", confirms=(7,))],
            {},
            counts(lost_in_queue=1),
            id="given, confirmed and not handled is lost in that framework's queue",
        ),
        pytest.param(
            [poll(1, "a", gives=(7,)), poll(2, "b", confirms=(7,))],
            {},
            counts(lost_between=1),
            id="confirmed by one who never had it is lost between two pollers",
        ),
        pytest.param(
            [poll(1, "a", gives=(7,)), poll(2, "b", gives=(7,))],
            {7: 1},
            counts(delivered_twice=1),
            id="given twice, handled once",
        ),
        pytest.param(
            [poll(1, "a", gives=(7,)), poll(2, "b", gives=(7,))],
            {7: 2},
            counts(delivered_twice=1, handled_twice=1),
            id="given twice, handled twice",
        ),
    ],
)
def test_a_message_has_one_fate(rows: list[Row], handled: dict[int, int], expected: Fates) -> None:
    """Losses of the framework and losses between two pollers are never taken for one another."""
    assert expected == fates(rows, sent(7), handled)


def test_only_the_messages_asked_for_count() -> None:
    """What was handled twice before this act is not this act's."""
    assert counts() == fates([poll(1, "a", gives=(7,))], sent(7), {6: 2, 7: 1})


def test_what_was_given_again_is_awaited_from_the_last_one() -> None:
    """An answer that its poller dropped, for it was handing over, is not: nor one that nobody saw."""
    unseen = replace(poll(3, "c", gives=(7, 8)), closed_at=2.5)

    assert given_last([poll(1, "a", gives=(6, 7)), poll(2, "b", gives=(7,)), unseen]) == {6: "a", 7: "b"}
