"""Which client of one proxy has the turn."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from onepoller.adapters.proxy.turns import NEVER, Seat, Turn
from onepoller.coordination.identity import BotId
from onepoller.coordination.settings import Settings
from onepoller.coordination.stall import CallEnd

SETTINGS = Settings(stall_limit=20, error_limit=90, handler_limit=900)


@dataclass(eq=False)
class Line:
    """A connection."""

    bots: tuple[BotId, ...] = ()

    def end_request(self) -> None:
        raise AssertionError("the turn ends nobody's request by itself")


ONE, TWO, THREE = Line(), Line(), Line()


def ask(turn: Turn, client: Line, *, offset: int = 0, timeout: float = 10, now: float = 0) -> Seat:
    """Ask for a long poll."""
    return turn.ask(client, offset=offset, timeout=timeout, now=now, settings=SETTINGS)


def polled(how: CallEnd = CallEnd.EMPTY, *, offset: int = 0, delivered: int | None = None) -> Turn:
    """Give the turn of ONE, whose poll has ended at 100 s."""
    turn = Turn()
    ask(turn, ONE, offset=offset, now=90)
    if delivered is not None:
        turn.delivered(ONE, delivered)
    turn.ended(ONE, how, now=100)
    return turn


def test_the_first_gets_it() -> None:
    """A free turn is taken."""
    turn = Turn()
    assert (ask(turn, ONE), turn.client) == (Seat.TAKEN, ONE)


def test_another_one_waits_while_a_poll_is_open() -> None:
    """There is no time after which an open poll loses the turn."""
    turn = Turn()
    ask(turn, ONE)
    assert (ask(turn, TWO, now=1000), turn.free_at(SETTINGS)) == (Seat.WAITS, NEVER)


@pytest.mark.parametrize(
    ("how", "limit"), [(CallEnd.EMPTY, 20), (CallEnd.ERROR, 90), (CallEnd.BATCH, 900)], ids=str
)
def test_silence_loses_it_after_the_stall_limit(how: CallEnd, limit: float) -> None:
    """How long depends on how the last poll ended; up to then the other one waits."""
    turn = polled(how, delivered=7)
    before = ask(turn, TWO, now=100 + limit - 0.1)
    assert (before, turn.free_at(SETTINGS), ask(turn, TWO, now=100 + limit)) == (
        Seat.WAITS,
        100 + limit,
        Seat.TAKEN,
    )


def test_a_retry_after_is_waited_for() -> None:
    """A client that was told to come again later is not silent before."""
    turn = Turn()
    ask(turn, ONE, now=90)
    turn.ended(ONE, CallEnd.ERROR, now=100, retry_after=30)
    assert turn.free_at(SETTINGS) == 220


def test_a_client_that_pauses_is_given_three_times_its_longest_pause() -> None:
    """A poll interval is no stall."""
    turn = polled()
    ask(turn, ONE, now=115)
    turn.ended(ONE, CallEnd.EMPTY, now=120)
    assert turn.free_at(SETTINGS) == 165


def test_a_connection_that_breaks_inside_a_poll_frees_it() -> None:
    """The other one gets it at once."""
    turn = Turn()
    ask(turn, ONE)
    turn.closed(ONE)
    turn.ended(ONE, CallEnd.CANCELLED, now=1)
    assert ask(turn, TWO, now=1) is Seat.TAKEN


def test_an_idle_connection_that_closes_frees_it() -> None:
    """The other one gets it at once, whatever the silence might have lasted."""
    turn = polled(CallEnd.BATCH, delivered=7)
    turn.closed(ONE)
    assert ask(turn, TWO, now=100) is Seat.TAKEN


def test_a_connection_without_the_turn_says_nothing() -> None:
    """Who waits may leave."""
    turn = polled()
    turn.closed(TWO)
    assert turn.client is ONE


def test_a_continuing_offset_is_the_owner_on_another_connection() -> None:
    """It goes on where it was; the client that starts at 0 does not get in between."""
    turn = polled(CallEnd.BATCH, delivered=7)
    assert (ask(turn, TWO, offset=0, now=101), ask(turn, THREE, offset=8, now=101), turn.client) == (
        Seat.WAITS,
        Seat.TAKEN,
        THREE,
    )


def test_the_owner_takes_over_from_its_own_broken_connection() -> None:
    """A poll that hangs on a dead connection does not lock its client out."""
    turn = polled(CallEnd.BATCH, delivered=7)
    ask(turn, ONE, offset=8, now=101)
    assert ask(turn, TWO, offset=8, now=105) is Seat.TAKEN_OVER


def test_a_confirm_on_the_way_out_takes_nothing_over() -> None:
    """A short call beside an open poll waits, even with the owner's offset."""
    turn = polled(CallEnd.BATCH, delivered=7)
    ask(turn, ONE, offset=8, now=101)
    assert ask(turn, TWO, offset=8, timeout=0, now=105) is Seat.WAITS


def test_the_offset_of_a_former_owner_is_nobodys() -> None:
    """Who lost the turn comes back as one who waits."""
    turn = polled(CallEnd.BATCH, delivered=7)
    turn.closed(ONE)
    ask(turn, TWO, offset=0, now=101)
    assert ask(turn, THREE, offset=8, now=102) is Seat.WAITS


def test_a_client_that_closes_between_polls_is_waited_for() -> None:
    """Once it has come back so, its closed connection says nothing any more."""
    turn = polled(offset=5)
    turn.closed(ONE)
    ask(turn, TWO, offset=5, now=101)
    turn.delivered(TWO, 7)
    turn.ended(TWO, CallEnd.BATCH, now=102)
    turn.closed(TWO)
    assert (ask(turn, ONE, offset=0, now=103), ask(turn, THREE, offset=8, now=104)) == (
        Seat.WAITS,
        Seat.TAKEN,
    )


def test_a_client_that_keeps_its_connection_again_is_believed_again() -> None:
    """After two polls over one connection its closing frees the turn."""
    turn = polled(offset=5)
    turn.closed(ONE)
    for now in (101, 102):
        ask(turn, TWO, offset=5, now=now)
        turn.ended(TWO, CallEnd.EMPTY, now=now)
    turn.closed(TWO)
    assert turn.is_free


def test_a_refused_token_frees_it() -> None:
    """The other client may have the new one."""
    turn = polled(CallEnd.ERROR)
    turn.refused(ONE)
    assert ask(turn, TWO, now=100) is Seat.TAKEN


@pytest.mark.parametrize(("delivered", "expected"), [(None, False), (7, True)])
def test_it_knows_whether_its_client_was_given_updates(delivered: int | None, expected: bool) -> None:
    """Until then a client starts where the one before it had ended."""
    assert polled(delivered=delivered).has_delivered is expected
