"""The decision: what one bot in one process does."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from onepoller.coordination.conflict import Kind
from onepoller.coordination.decide import TABLE, IllegalHappening, decide
from onepoller.coordination.events import Cause
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import (
    Answered,
    Called,
    ClaimDenied,
    ClaimLost,
    ClaimTaken,
    ConflictMet,
    EndProcess,
    Failed,
    HandOn,
    HandoverAsked,
    HandoverFailed,
    Overslept,
    PassClaim,
    Policy,
    RivalGone,
    RivalSeen,
    State,
    TellEpisodeClosed,
    TellEpisodeOpened,
    TimePassed,
    UpdatesTaken,
    WebhookGone,
)
from onepoller.coordination.stores.seam import Episode

BOT = BotId(42)
HOLD = Policy(on_rival=OnRival.HOLD)
YIELD = Policy(on_rival=OnRival.YIELD)
AUTO = Policy(on_rival=OnRival.AUTO)
POLLING = State(role=Role.POLLING, term=Term(3), taken_at=0.0)
ESTABLISHED = replace(POLLING, established_at=-100.0)
"""For 100 s at the time 0."""


def rival(elapsed: float = 2.0, *, kind: Kind = Kind.RIVAL, jitter: float = 0.5) -> ConflictMet:
    """A 409 of a rival."""
    return ConflictMet(kind=kind, elapsed=elapsed, jitter=jitter)


def test_an_illegal_happening_raises_and_changes_nothing() -> None:
    """A caller's defect shows at once."""
    state = State(role=Role.DRAINING, term=Term(1))

    with pytest.raises(IllegalHappening, match="str in draining"):
        decide(state, "nonsense", 0.0, HOLD)  # type: ignore[arg-type]


ALL = [
    Called(),
    ClaimTaken(term=Term(4), cause=Cause.FREE),
    ClaimDenied(holder=None),
    ClaimLost(cause=Cause.SESSION),
    Answered(elapsed=1.0),
    Failed(),
    *(rival(kind=kind) for kind in Kind),
    WebhookGone(),
    RivalGone(),
    RivalSeen(),
    UpdatesTaken(jitter=0.5),
    Overslept(silence=61.0),
    HandoverAsked(),
    HandoverFailed(),
    TimePassed(),
]


POSSIBLE = [(role, happened) for role, happened in product(Role, ALL) if (role, type(happened)) in TABLE]


@pytest.mark.parametrize(("role", "happened"), POSSIBLE, ids=str)
def test_no_state_is_terminal(role: Role, happened: object) -> None:
    """Whatever happens in whatever state, being given the claim leads back to polling."""
    after = decide(State(role=role, term=Term(3)), happened, 1.0, HOLD).state  # type: ignore[arg-type]

    assert decide(after, ClaimTaken(term=Term(9), cause=Cause.FREE), 2.0, HOLD).state.role is Role.POLLING


def test_a_taken_claim_is_polled() -> None:
    """The term and whether a ghost may be about are kept."""
    state = decide(State(), ClaimTaken(term=Term(8), cause=Cause.DIED, clean=False), 5.0, HOLD).state

    assert (state.role, state.term, state.taken_at, state.unclean) == (Role.POLLING, 8, 5.0, True)


@pytest.mark.parametrize(
    ("cause", "episode", "expected"),
    [
        pytest.param(Cause.HANDED_OVER, None, True, id="a holder that closed its poll's connection"),
        pytest.param(Cause.FREE, None, False, id="nobody"),
        pytest.param(
            Cause.HANDED_OVER, Episode(kind=Kind.RIVAL, since=0.0), False, id="one in the middle of a fight"
        ),
    ],
)
def test_whose_ghost_may_be_about(cause: Cause, episode: Episode | None, *, expected: bool) -> None:
    """The server keeps the poll of who has handed a bot over; a fight is gone on with."""
    taken = ClaimTaken(term=Term(8), cause=cause, episode=episode)

    assert decide(State(), taken, 5.0, HOLD).state.unclean is expected


def test_no_ghost_is_about_once_a_poll_was_answered_after_a_handover() -> None:
    """A server that refuses newcomers would have refused it; after a death the ghost may be evicted later."""
    handed, died = (
        decide(State(), ClaimTaken(term=Term(8), cause=cause, clean=clean), 5.0, HOLD).state
        for cause, clean in ((Cause.HANDED_OVER, True), (Cause.DIED, False))
    )
    answer = Answered(elapsed=0.05)

    assert not decide(handed, answer, 5.1, HOLD).state.unclean
    assert decide(died, answer, 5.1, HOLD).state.unclean


def test_an_open_episode_goes_on_with_the_successor() -> None:
    """The claim carries the episode: the successor is contended from its start."""
    episode = Episode(kind=Kind.RIVAL, since=0.0, conflicts=7)

    state = decide(State(), ClaimTaken(term=Term(8), cause=Cause.DIED, episode=episode), 5.0, HOLD).state

    assert state.role is Role.CONTENDED
    assert state.episode is not None
    assert state.episode.conflicts == 7


def test_a_bot_blocked_by_a_webhook_is_blocked_for_the_successor() -> None:
    """It watches, and does not poll into the webhook."""
    episode = Episode(kind=Kind.WEBHOOK_ACTIVE, since=0.0)

    assert (
        decide(State(), ClaimTaken(term=Term(8), cause=Cause.DIED, episode=episode), 5.0, HOLD).state.role
        is Role.BLOCKED
    )


def test_an_answered_poll_ends_a_row_of_quick_conflicts() -> None:
    """Only conflicts in a row count."""
    state = decide(replace(POLLING, quick_conflicts=2), Answered(elapsed=1.0), 1.0, HOLD).state

    assert state.quick_conflicts == 0


def test_the_episode_opens_once() -> None:
    """Episodes are counted, not 409 replies."""
    state = decide(POLLING, rival(), 10.0, HOLD).state
    again = decide(state, rival(), 13.0, HOLD)

    assert again.state.episode is not None
    assert again.state.episode.conflicts == 2
    assert not [a for a in again.actions if isinstance(a, TellEpisodeOpened)]


def test_a_single_won_poll_does_not_end_an_episode() -> None:
    """It is not over until it is quiet."""
    state = decide(POLLING, rival(), 10.0, HOLD).state

    assert decide(state, Answered(elapsed=1.0), 12.0, HOLD).state.episode is not None


def test_an_episode_ends_after_ten_quiet_seconds() -> None:
    """The rival has gone."""
    state = decide(POLLING, rival(), 10.0, HOLD).state
    decision = decide(state, TimePassed(), 20.0, HOLD)

    assert decision.state.role is Role.POLLING
    assert [a.resolution for a in decision.actions if isinstance(a, TellEpisodeClosed)] == ["rival_gone"]


def test_a_slow_rival_is_given_its_own_rhythm() -> None:
    """One that came back after 30 s is not gone after 10: hysteresis."""
    state = decide(POLLING, rival(), 10.0, HOLD).state
    state = decide(state, rival(), 40.0, HOLD).state

    assert decide(state, TimePassed(), 129.9, HOLD).state.episode is not None
    assert decide(state, TimePassed(), 130.0, HOLD).state.episode is None


def test_a_holder_that_only_fails_passes_the_claim_on_with_doubling_gaps() -> None:
    """With Telegram down nothing dances."""
    state, passed = POLLING, []
    for second in range(0, 500, 10):
        decision = decide(state, Failed(), float(second), HOLD)
        state = decision.state
        passed += [second for action in decision.actions if isinstance(action, PassClaim)]

    assert passed == [60, 180, 420]


def test_a_refused_token_passes_the_claim_on_at_once() -> None:
    """The peer may have the new token."""
    assert PassClaim() in decide(POLLING, Failed(unauthorized=True), 1.0, HOLD).actions


def test_two_with_a_refused_token_do_not_play_ball() -> None:
    """The second pass, and each later one, takes as long as with any other error."""
    first = decide(POLLING, Failed(unauthorized=True), 0.0, HOLD).state
    lost = decide(first, ClaimLost(cause=Cause.FAILING), 0.0, HOLD).state
    again = decide(lost, ClaimTaken(term=Term(9), cause=Cause.HANDED_OVER), 1.0, HOLD).state
    passed, state = [], again
    for second in range(1, 200):
        decision = decide(state, Failed(unauthorized=True), float(second), HOLD)
        state = decision.state
        passed += [second for action in decision.actions if isinstance(action, PassClaim)]

    assert passed == [121]


def test_a_success_ends_the_row_of_failures() -> None:
    """Then the next row starts from the beginning."""
    state = decide(POLLING, Failed(), 0.0, HOLD).state
    state = decide(state, Answered(elapsed=1.0), 30.0, HOLD).state

    assert PassClaim() not in decide(state, Failed(), 61.0, HOLD).actions


def test_no_standby_ends_the_process_where_another_polls() -> None:
    """`standby=False`."""
    decision = decide(State(), ClaimDenied(holder=None), 1.0, Policy(standby=False))

    assert any(isinstance(action, EndProcess) for action in decision.actions)


def test_a_handover_that_failed_goes_on_polling() -> None:
    """Nothing is terminal."""
    draining = decide(POLLING, HandoverAsked(), 1.0, HOLD).state

    assert draining.role is Role.DRAINING
    assert decide(draining, HandoverFailed(), 2.0, HOLD).state.role is Role.POLLING


def test_a_poll_that_ends_while_draining_is_handed_on() -> None:
    """The look before delivery judges it, not the phase."""
    draining = replace(POLLING, role=Role.DRAINING)

    assert decide(draining, Answered(elapsed=1.0), 2.0, HOLD).actions == (HandOn(),)


@pytest.mark.parametrize(
    ("policy", "pauses", "conflicts"),
    [
        pytest.param(HOLD, [2.0**n for n in range(6)], 7, id="telebot"),
        pytest.param(HOLD, [1.5**n for n in range(9)], 10, id="PTB"),
        pytest.param(AUTO, [2.0**n for n in range(6)], 1, id="who insists for a time draws that anew"),
    ],
)
def test_how_many_409s_the_last_episode_of_a_fight_with_a_back_off_has(
    policy: Policy, pauses: list[float], conflicts: int
) -> None:
    """Each pause is longer than the one before, and each 409 is held for 3 s."""
    state, now = ESTABLISHED, 0.0
    for pause in [0.0, *pauses]:
        for _ in range(int(pause + 3.0)):
            now += 1.0
            state = decide(state, TimePassed(), now, policy).state
        state = decide(state, rival(), now, policy).state

    assert state.episode is not None
    assert state.episode.conflicts == conflicts


@pytest.mark.parametrize("policy", [HOLD, YIELD, Policy(on_rival=OnRival.EXIT)])
def test_only_auto_looks_before_it_polls(policy: Policy) -> None:
    """The others do what they were told in any case."""
    state = decide(State(), ClaimTaken(term=Term(1), cause=Cause.FREE), 0.0, policy).state
    state = decide(state, Failed(silence=100.0), 1.0, policy).state
    state = decide(state, Overslept(silence=100.0), 2.0, policy).state

    assert (state.look, state.look_at) == (0.0, float("inf"))


def test_an_episode_does_not_become_quiet_while_we_stand_by() -> None:
    """It is quiet because we do not poll."""
    yielding = decide(POLLING, rival(), 10.0, AUTO).state

    assert decide(yielding, TimePassed(), 10_000.0, AUTO).state is yielding


def test_a_failed_call_makes_the_next_one_look() -> None:
    """2.5 s; and a newcomer where Telegram was silent for more than 15 s."""
    short = decide(ESTABLISHED, Failed(silence=5.0), 0.0, AUTO).state
    long = decide(ESTABLISHED, Failed(silence=16.0), 0.0, AUTO).state

    assert (short.look, short.established_at) == (2.5, -100.0)
    assert (long.look, long.established_at) == (2.5, None)


@pytest.mark.parametrize("happened", [Failed(silence=100.0), Overslept(silence=100.0)])
def test_who_stands_by_looks_from_outside_already(happened: Failed | Overslept) -> None:
    """No second look is laid over the first."""
    yielding = decide(POLLING, rival(), 10.0, AUTO).state

    assert decide(yielding, happened, 20.0, AUTO).state.look == 0.0


def test_a_successor_of_a_holder_that_stood_by_stands_by() -> None:
    """It does not walk into the same fight."""
    episode = Episode(kind=Kind.RIVAL, since=0.0, conflicts=7, stands_by=True)
    taken = ClaimTaken(term=Term(8), cause=Cause.DIED, episode=episode)

    assert decide(State(), taken, 5.0, AUTO).state.yielding
    assert not decide(State(), taken, 5.0, HOLD).state.yielding


def test_a_successor_in_a_fight_goes_on_with_the_tenure_of_its_predecessor() -> None:
    """It insists for as long as the claim has been established."""
    episode = Episode(kind=Kind.RIVAL, since=0.0, conflicts=7)
    taken = ClaimTaken(term=Term(8), cause=Cause.DIED, episode=episode, tenure=100.0)
    state = decide(State(), taken, 0.0, AUTO).state

    assert decide(state, rival(), 0.0, AUTO).state.insist_until == 103.0


def test_an_answer_leaves_the_state_of_an_established_poller_as_it_is() -> None:
    """The hot path: ten thousand bots poll."""
    decision = decide(ESTABLISHED, Answered(elapsed=30.0), 5.0, AUTO)

    assert (decision.state is ESTABLISHED, decision.actions) == (True, (HandOn(),))
