"""`auto`: who is on trial, who is established, for how long it insists, and who goes on with whose tenure."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from onepoller.coordination import tenure
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.report import Role
from onepoller.coordination.situation import ClaimTaken, State
from onepoller.coordination.stores.seam import Claim, Episode, Standing

NOW = 1000.0
TRIED = State(role=Role.POLLING, term=Term(1))
ESTABLISHED = replace(TRIED, established_at=NOW - 100.0)
FREE = Claim(bot_id=BotId(42), term=Term(3), since=400.0)
HELD = replace(FREE, holder=SessionId("a"))
PROVED = Standing(tenure=0.0, at=413.0)
"""5 s of looking and 8 s of trial after its term began."""
NOT_YET = Standing(tenure=-1.0, at=412.9)
LET_GO = Standing(tenure=70.0, at=900.0)
"""Written when a holder let go."""


def rival_has_it(*, stands_by: bool) -> Episode:
    """The episode that lies in the claim."""
    return Episode(kind=Kind.RIVAL, since=0.0, stands_by=stands_by)


@pytest.mark.parametrize(
    ("claim", "waited", "silence", "now", "expected"),
    [
        pytest.param(FREE, False, 0.0, NOW, None, id="a bot that nobody had polled has no standing"),
        pytest.param(FREE, True, 0.0, NOW, None, id="nor by waiting for it"),
        pytest.param(replace(FREE, standing=LET_GO), False, 0.0, 915.0, LET_GO, id="let go 15 s ago"),
        pytest.param(replace(FREE, standing=LET_GO), False, 0.0, 915.1, None, id="let go longer ago"),
        pytest.param(replace(FREE, standing=LET_GO), True, 0.0, 9e9, LET_GO, id="who waited saw it alive"),
        pytest.param(
            HELD, False, 15.0, NOW, PROVED, id="a first holder's counts from when its trial was over"
        ),
        pytest.param(HELD, False, 0.0, 413.0, PROVED, id="it has just been over"),
        pytest.param(HELD, True, 0.0, 412.9, NOT_YET, id="who dies on trial leaves the trial"),
        pytest.param(
            HELD, False, 10.0, 422.9, replace(NOT_YET, at=422.9), id="also where it lay dead for a while"
        ),
        pytest.param(
            replace(HELD, standing=replace(NOT_YET, at=400.0)),
            False,
            0.0,
            412.9,
            NOT_YET,
            id="and who had it from another, too",
        ),
        pytest.param(
            replace(HELD, standing=replace(NOT_YET, at=400.0)),
            False,
            0.0,
            413.0,
            PROVED,
            id="who has lived long enough has passed it",
        ),
        pytest.param(HELD, True, 15.1, NOW, None, id="nobody follows who was silent for so long"),
        pytest.param(
            replace(HELD, standing=Standing(tenure=0.0, at=990.0)),
            True,
            11.0,
            NOW,
            None,
            id="who became a newcomer again, and died before it had proved itself",
        ),
        pytest.param(HELD, False, 15.1, NOW, None, id="a holder that died longer ago is not followed"),
        pytest.param(
            HELD, True, math.inf, NOW, PROVED, id="but by who waited beside it, where nothing is known"
        ),
        pytest.param(
            replace(HELD, standing=LET_GO),
            False,
            1.0,
            NOW,
            LET_GO,
            id="a later holder's goes on from the first",
        ),
        pytest.param(
            replace(HELD, standing=LET_GO),
            False,
            16.0,
            900.0,
            None,
            id="of the dead the silence counts alone",
        ),
        pytest.param(
            replace(HELD, standing=LET_GO, episode=rival_has_it(stands_by=True)),
            True,
            0.0,
            NOW,
            None,
            id="where a rival has the bot there is nothing to take over",
        ),
        pytest.param(
            replace(HELD, standing=LET_GO, episode=rival_has_it(stands_by=False)),
            True,
            0.0,
            NOW,
            LET_GO,
            id="a fight is gone on with",
        ),
    ],
)
def test_standing_to_take(
    claim: Claim,
    waited: bool,
    silence: float,
    now: float,
    expected: Standing | None,
) -> None:
    """Tenure belongs to the claim: who waited goes on with it, and who comes within 15 s."""
    assert tenure.standing_to_take(claim, waited=waited, silence=silence, now=now) == expected


def test_who_follows_one_on_trial_is_on_trial_and_does_not_look() -> None:
    """Somebody polled until just now; a killed bot is followed at once."""
    state = tenure.arrived(TRIED, ClaimTaken(term=Term(1), cause=Cause.DIED, tenure=-1.0), NOW)

    assert (state.look, state.look_at, state.established_at) == (0.0, math.inf, None)


def test_a_newcomer_looks_for_five_seconds() -> None:
    """It has nobody to follow, so it is on trial too."""
    state = tenure.arrived(TRIED, ClaimTaken(term=Term(1), cause=Cause.FREE), NOW)

    assert (state.look, state.established_at) == (5.0, None)


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 2.0), (0.5, 8.5), (1.0, 15.0)])
def test_a_newcomers_busy_look_is_due_2_to_15_s_after_its_start(jitter: float, expected: float) -> None:
    """Two that start at once must not look at once."""
    taken = ClaimTaken(term=Term(1), cause=Cause.FREE, jitter=jitter)

    assert tenure.arrived(TRIED, taken, NOW).look_at == NOW + expected


def test_a_successor_is_established_since_its_predecessor_was() -> None:
    """It neither looks nor is on trial."""
    state = tenure.arrived(TRIED, ClaimTaken(term=Term(1), cause=Cause.DIED, tenure=70.0), NOW)

    assert (tenure.tenure(state, NOW), state.look, state.look_at) == (70.0, 0.0, math.inf)


def test_on_trial_nobody_has_a_tenure() -> None:
    """None, not 0."""
    assert tenure.tenure(TRIED, NOW) is None


def test_the_trial_is_over_when_calls_were_open_for_eight_seconds_in_all() -> None:
    """The seconds between the calls do not count."""
    state = tenure.answered(TRIED, 7.9, NOW)
    assert (state.established_at, state.trial) == (None, 7.9)

    assert tenure.answered(state, 0.1, NOW + 60).established_at == NOW + 60


def test_who_is_established_is_not_changed_by_an_answer() -> None:
    """The hot path makes no new state."""
    assert tenure.answered(ESTABLISHED, 50.0, NOW) is ESTABLISHED


@pytest.mark.parametrize(
    ("elapsed", "now", "look", "is_settled"),
    [
        pytest.param(0.49, NOW - 0.1, 0.0, False, id="not yet due, and not parked: it stays"),
        pytest.param(0.49, NOW, 2.5, True, id="due, and never parked: a look of 2.5 s, once"),
        pytest.param(0.5, NOW - 0.1, 0.0, True, id="parked before: no look, for a 409 would have come"),
        pytest.param(0.5, NOW, 0.0, True, id="parked when it is due: no look either"),
    ],
)
def test_who_has_not_parked_since_its_start_looks_once(
    elapsed: float,
    now: float,
    look: float,
    is_settled: bool,
) -> None:
    """Busy pollers never meet a 409."""
    state = tenure.answered(replace(TRIED, look_at=NOW), elapsed, now)

    assert (state.look, state.look_at == math.inf) == (look, is_settled)


def test_the_busy_look_is_not_repeated() -> None:
    """Once, 2 to 15 s after a start."""
    looked = tenure.answered(replace(TRIED, look_at=NOW), 0.1, NOW)

    assert tenure.answered(replace(looked, look=0.0), 0.1, NOW + 100).look == 0.0


@pytest.mark.parametrize(("silence", "expected"), [(15.0, NOW - 100.0), (15.1, None)])
def test_who_comes_to_a_look_after_15_s_is_a_newcomer(silence: float, expected: float | None) -> None:
    """A shorter silence leaves the tenure as it is."""
    assert tenure.doubtful(ESTABLISHED, silence).established_at == expected


def test_a_newcomer_again_starts_its_trial_from_nothing() -> None:
    """The seconds before the silence say nothing of now."""
    assert tenure.doubtful(replace(TRIED, trial=7.0), 16.0).trial == 0.0


@pytest.mark.parametrize(("look", "expected"), [(0.0, 2.5), (5.0, 5.0)])
def test_in_doubt_one_looks_for_two_and_a_half_seconds_at_least(look: float, expected: float) -> None:
    """A longer look that is going on is not cut short."""
    assert tenure.doubtful(replace(TRIED, look=look), 1.0).look == expected


def test_on_trial_nobody_insists() -> None:
    """The first 409 means: stand by."""
    assert tenure.insists(TRIED, 1.0, NOW) is None


@pytest.mark.parametrize(("jitter", "until"), [(0.0, 73.0), (0.5, 103.0), (1.0, 133.0)])
def test_one_insists_for_its_tenure_times_a_jitter_and_three_seconds(jitter: float, until: float) -> None:
    """0.7 to 1.3 times 100 s, and 3 s."""
    state = tenure.insists(ESTABLISHED, jitter, NOW)

    assert state is not None
    assert state.insist_until == pytest.approx(NOW + until)


def test_the_end_of_insisting_is_drawn_once_in_a_fight() -> None:
    """Neither more tenure nor another jitter puts it off."""
    fighting = tenure.insists(ESTABLISHED, 0.0, NOW)
    assert fighting is not None

    assert tenure.insists(fighting, 1.0, NOW + 72.9) == fighting
    assert tenure.insists(fighting, 1.0, NOW + 73.0) is None


@pytest.mark.parametrize(("quick", "is_insisting"), [(29, True), (30, False)])
def test_nobody_insists_whom_the_server_refuses_all_the_time(quick: int, *, is_insisting: bool) -> None:
    """The published server holds the second 409 for 3 s: this one knows who the newcomer is."""
    state = tenure.insists(replace(ESTABLISHED, quick_conflicts=quick), 1.0, NOW)

    assert (state is not None) is is_insisting


def test_who_stands_by_has_no_tenure_and_no_look_of_its_own() -> None:
    """It watches; when it comes back it begins as on the first day."""
    fighting = replace(ESTABLISHED, trial=3.0, look=2.5, look_at=NOW, insist_until=NOW)

    assert tenure.stood_by(fighting, NOW) == replace(TRIED, yielding=True)


@pytest.mark.parametrize(
    ("ago", "before", "expected"),
    [
        pytest.param(math.inf, 8.0, 8.0, id="who was never back was not wrong about it"),
        pytest.param(0.1, 8.0, 16.0, id="a come-back that is undone doubles the next look"),
        pytest.param(89.9, 16.0, 32.0, id="also where it was a long handler"),
        pytest.param(90.0, 32.0, 8.0, id="who shows after that had been gone"),
        pytest.param(5.0, 512.0, 900.0, id="to a quarter of an hour at most"),
        pytest.param(5.0, 900.0, 900.0, id="and stays there"),
    ],
)
def test_how_long_the_next_look_is(
    ago: float,
    before: float,
    expected: float,
) -> None:
    """Coming back to a rival that is still there costs it messages."""
    state = tenure.stood_by(replace(TRIED, came_back=True, back_at=NOW - ago, watch_for=before), NOW)

    assert (state.watch_for, state.came_back) == (expected, False)


def test_who_comes_back_is_on_a_new_trial() -> None:
    """What waits was not taken; whether somebody is parked the trial will show."""
    state = tenure.came_back(replace(TRIED, yielding=True, trial=5.0, watch_for=64.0), NOW, unopposed=False)

    assert state == replace(TRIED, came_back=True, back_at=NOW, watch_for=64.0)


def test_an_unopposed_probe_was_the_trial() -> None:
    """It lasted as long as one."""
    state = tenure.came_back(replace(TRIED, yielding=True), NOW, unopposed=True)

    assert state == replace(TRIED, established_at=NOW, back_at=NOW)


def test_a_trial_that_is_passed_does_not_forgive_the_come_back_before_it() -> None:
    """A rival whose handlers last longer than look and trial would be disturbed each time for ever."""
    state = tenure.answered(replace(TRIED, came_back=True, back_at=NOW - 9.0, watch_for=16.0), 8.0, NOW)
    assert (state.came_back, state.established_at) == (False, NOW)

    assert tenure.stood_by(state, NOW + 30.0).watch_for == 32.0
