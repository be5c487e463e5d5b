"""Since when Telegram answers us, and the tenure that comes with a claim and goes with it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from onepoller.coordination.clocks import Clocks
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.incumbency import Incumbency
from onepoller.coordination.report import Role
from onepoller.coordination.situation import State
from onepoller.coordination.stores.seam import Claim, Standing

NEW = Claim(bot_id=BotId(42), term=Term(1))
ON_TRIAL = State(role=Role.POLLING, term=Term(1))
GONE = State(role=Role.STANDBY)


class Time:
    """Three clocks; what passes on each is the test's."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.boot = 2000.0
        self.wall = 50_000.0
        self.incumbency = Incumbency(
            Clocks(monotonic=lambda: self.monotonic, boot=lambda: self.boot, wall=lambda: self.wall)
        )

    def pass_(self, seconds: float) -> None:
        """On all clocks."""
        self.monotonic += seconds
        self.boot += seconds
        self.wall += seconds

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: the monotonic clock stands still."""
        self.boot += seconds
        self.wall += seconds

    def established(self, tenure: float) -> State:
        """A holder that has been established for so long."""
        return State(role=Role.POLLING, term=Term(1), established_at=self.monotonic - tenure)


def test_who_was_never_to_be_answered_was_never_silent() -> None:
    """A call that waited in the line for an hour has not overslept."""
    time = Time()
    time.pass_(3600)

    assert time.incumbency.silence == 0.0


def test_the_silence_begins_when_the_claim_is_ours() -> None:
    """Whoever had it before us was answered."""
    time = Time()
    time.incumbency.taken(NEW)
    time.pass_(7)

    assert time.incumbency.silence == 7.0


@pytest.mark.parametrize("what", ["heard", "answered"])
def test_an_answer_ends_the_silence(what: str) -> None:
    """Of a poll, of a peek, of a probe."""
    time = Time()
    time.incumbency.taken(NEW)
    time.pass_(70)
    getattr(time.incumbency, what)()
    time.pass_(2)

    assert time.incumbency.silence == 2.0


def test_a_machine_that_sleeps_is_silent() -> None:
    """Counted on the boot clock."""
    time = Time()
    time.incumbency.answered()
    time.sleep(600)

    assert time.incumbency.silence == 600.0


def test_an_answer_that_waited_for_us_is_as_old_as_it_may_be() -> None:
    """We were frozen with a poll open: it may have been answered at once, and somebody may poll by now."""
    time = Time()
    time.incumbency.answered()
    time.incumbency.sending(timeout=30.0)
    time.pass_(145)
    time.incumbency.answered()

    assert time.incumbency.sending() == 145.0


def test_an_answer_to_something_else_is_of_now() -> None:
    """A peek has no time-out that the last poll could tell."""
    time = Time()
    time.incumbency.sending(timeout=30.0)
    time.incumbency.answered()
    time.pass_(145)
    time.incumbency.answered()

    assert time.incumbency.silence == 0.0


def test_before_the_first_answer_the_pause_has_no_end() -> None:
    """Nothing is known of what was there before: no gap is a sign of a rival."""
    time = Time()
    time.incumbency.taken(NEW)
    time.incumbency.sending()
    time.incumbency.answered()

    assert time.incumbency.pause == math.inf


def test_a_peek_does_not_end_the_pause() -> None:
    """It takes nothing, so what waited may have expired meanwhile."""
    time = Time()
    time.incumbency.answered()
    time.pass_(40)
    time.incumbency.heard()
    time.incumbency.sending()
    time.pass_(7)
    time.incumbency.answered()

    assert time.incumbency.pause == 40.0


def test_a_claim_without_a_standing_makes_a_newcomer() -> None:
    """Nobody to follow."""
    assert Time().incumbency.taken(NEW) is None


def test_a_standing_has_grown_since_it_was_written() -> None:
    """By the wall clock: the one way from process to process."""
    time = Time()
    claim = Claim(bot_id=BotId(42), standing=Standing(tenure=70.0, at=time.wall - 5.0))

    assert time.incumbency.taken(claim) == 75.0


def test_a_wall_clock_that_was_put_back_takes_no_tenure_away() -> None:
    """It grows by nothing then."""
    time = Time()
    claim = Claim(bot_id=BotId(42), standing=Standing(tenure=70.0, at=time.wall + 3600.0))

    assert time.incumbency.taken(claim) == 70.0


@pytest.mark.parametrize(("gone", "expected"), [(15.0, 115.0), (15.1, None)])
def test_who_lost_the_claim_for_a_moment_goes_on_with_its_own_tenure(
    gone: float, expected: float | None
) -> None:
    """A session that was replaced, a store that was made anew."""
    time = Time()
    time.incumbency.lost(time.established(100.0))
    time.pass_(gone)

    assert time.incumbency.taken(NEW) == expected


def test_who_slept_meanwhile_is_new() -> None:
    """Somebody else may have come in the night."""
    time = Time()
    time.incumbency.lost(time.established(100.0))
    time.sleep(600)

    assert time.incumbency.taken(NEW) is None


def test_who_lost_a_bot_that_a_rival_had_has_no_tenure_of_it() -> None:
    """Also where it was established before."""
    time = Time()
    time.incumbency.lost(time.established(100.0))
    time.incumbency.lost(State(role=Role.CONTENDED, term=Term(1), yielding=True))

    assert time.incumbency.taken(NEW) is None


def test_a_holder_passes_its_tenure_on() -> None:
    """As it is now."""
    time = Time()

    assert time.incumbency.to_pass_on(time.established(100.0)) == Standing(tenure=100.0, at=50_000.0)


def test_a_holder_that_a_rival_has_put_to_standby_passes_nothing_on() -> None:
    """Its successor stands by too."""
    state = State(role=Role.CONTENDED, term=Term(1), yielding=True)

    assert Time().incumbency.to_pass_on(state) is None


def test_a_claim_that_was_let_go_is_passed_on_as_of_then() -> None:
    """The store is told a moment later; whoever takes it counts from the loss."""
    time = Time()
    time.incumbency.lost(time.established(100.0))
    time.pass_(3)

    assert time.incumbency.to_pass_on(GONE) == Standing(tenure=100.0, at=50_000.0)


def test_who_is_on_trial_passes_the_trial_on() -> None:
    """A bot that crashes every few seconds is never established; but somebody polled, so no look is due."""
    time = Time()
    time.incumbency.lost(ON_TRIAL)

    assert time.incumbency.to_pass_on(ON_TRIAL) == Standing(tenure=-1.0, at=50_000.0)
    assert time.incumbency.taken(NEW) == -1.0
    assert time.incumbency.taken(replace(NEW, standing=Standing(tenure=-1.0, at=40_000.0))) == -1.0


def test_who_still_looks_has_nothing_to_pass_on() -> None:
    """Nobody has polled yet: its successor is to look, too."""
    time = Time()
    looking = replace(ON_TRIAL, look=5.0)
    time.incumbency.lost(looking)

    assert time.incumbency.to_pass_on(looking) is None
    assert time.incumbency.taken(NEW) is None


def test_meanwhile_the_claim_says_when_a_trial_will_be_over() -> None:
    """5 s of looking and 8 s of trial from now, by the wall clock."""
    assert Time().incumbency.to_note(ON_TRIAL) == Standing(tenure=0.0, at=50_013.0)


@pytest.mark.parametrize(("silence", "expected"), [(15.0, 115.0), (15.1, None)])
def test_what_stalled_for_too_long_is_not_passed_on(silence: float, expected: float | None) -> None:
    """However long the peer has waited: somebody else may have begun to poll."""
    time = Time()
    time.incumbency.answered()
    time.pass_(silence)
    time.incumbency.lost(time.established(115.0), deaf=True)
    standing = time.incumbency.to_pass_on(GONE)

    assert (standing and standing.tenure) == expected


@pytest.mark.parametrize(
    ("before", "opened", "expected"),
    [
        pytest.param(3.0, 40.0, 0.0, id="who parks meanwhile would have ended it"),
        pytest.param(15.1, 40.0, 55.1, id="somebody may have come before it was sent"),
        pytest.param(3.0, 50.1, 53.1, id="longer than its time-out: frozen"),
    ],
)
def test_a_poll_that_breaks_off_was_parked_until_then(before: float, opened: float, expected: float) -> None:
    """Of a poll with a time-out of 50 s."""
    time = Time()
    time.incumbency.answered()
    time.pass_(before)
    assert time.incumbency.sending() == pytest.approx(before)
    time.sleep(opened)
    time.incumbency.broke_off(timeout=50.0)

    assert time.incumbency.absence == pytest.approx(expected)
    assert time.incumbency.silence == pytest.approx(before + opened)


def test_who_never_had_the_claim_passes_nothing_on() -> None:
    """A wish that is withdrawn."""
    assert Time().incumbency.to_pass_on(GONE) is None
