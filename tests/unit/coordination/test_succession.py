"""Who is next, and who is asked to hand over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Wish, WishMode
from onepoller.coordination.succession import line, next_holder, successor_asked_for

BOT = BotId(42)
A, B, C = SessionId("a"), SessionId("b"), SessionId("c")


def wish(
    session: SessionId,
    since: int,
    *,
    priority: int = 0,
    mode: WishMode = WishMode.STANDBY,
    aim: int | None = None,
) -> Wish:
    """A wish for the bot of these tests."""
    return Wish(
        bot_id=BOT,
        session=session,
        since=since,
        priority=priority,
        mode=mode,
        aim=None if aim is None else Term(aim),
    )


def sessions(**liveness: Liveness) -> dict[SessionId, SessionRecord]:
    """Sessions and what is known of them."""
    who = Identity(host="h", boot_id="b", pid_namespace=1, pid=1, start_ticks=1, started_at=0.0)
    return {
        SessionId(name): SessionRecord(id=SessionId(name), identity=who, liveness=alive, lease=10.0)
        for name, alive in liveness.items()
    }


HELD = Claim(bot_id=BOT, version=7, holder=A, term=Term(3))
FREE = replace(HELD, holder=None)


@pytest.mark.parametrize(
    ("claim", "wishes", "expected"),
    [
        pytest.param(FREE, [], None, id="nobody waits"),
        pytest.param(FREE, [wish(B, 1), wish(C, 2)], B, id="first come, first served"),
        pytest.param(FREE, [wish(B, 1), wish(C, 2, priority=5)], C, id="priority before arrival"),
        pytest.param(
            replace(FREE, heir=B), [wish(B, 9), wish(C, 2, priority=5)], B, id="the heir before priority"
        ),
        pytest.param(replace(FREE, heir=A), [wish(B, 1)], B, id="an heir that does not wait is passed over"),
        pytest.param(HELD, [wish(B, 1, priority=9)], None, id="priority never pushes a living holder out"),
        pytest.param(
            FREE, [wish(B, 1, mode=WishMode.HANDOVER)], None, id="who asks for a handover wants nothing"
        ),
    ],
)
def test_next_holder(claim: Claim, wishes: list[Wish], expected: SessionId | None) -> None:
    """One session is named, by directed transfer, then priority, then first come."""
    assert expected == next_holder(
        claim, wishes, sessions(a=Liveness.ALIVE, b=Liveness.ALIVE, c=Liveness.ALIVE)
    )


@pytest.mark.parametrize("liveness", [Liveness.OVER, Liveness.SILENT])
def test_a_holder_that_is_over_or_silent_can_be_followed(liveness: Liveness) -> None:
    """The claim of a session that is over, or seems to be, goes to the next in line."""
    assert next_holder(HELD, [wish(B, 1)], sessions(a=liveness)) == B


def test_line_orders_everybody_who_waits() -> None:
    """The n-th in line is the n-th to write."""
    assert line(replace(FREE, heir=C), [wish(A, 1), wish(B, 2, priority=1), wish(C, 3)]) == [C, B, A]


def test_of_several_who_ask_for_one_term_the_first_recorded_wins() -> None:
    """Fifty at once make one handover."""
    asking = [wish(C, 5, mode=WishMode.TAKEOVER, aim=3), wish(B, 4, mode=WishMode.REPLACE, aim=3)]

    assert successor_asked_for(HELD, asking) == asking[1]


def test_a_wish_for_a_term_that_has_passed_asks_nobody() -> None:
    """Somebody else has replaced the holder already."""
    assert successor_asked_for(HELD, [wish(B, 1, mode=WishMode.REPLACE, aim=2), wish(C, 2)]) is None
