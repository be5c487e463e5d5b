"""The decision: what one bot in one process does."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from onepoller.coordination.conflict import Kind
from onepoller.coordination.decide import (
    TABLE,
    IllegalHappening,
    decide,
)
from onepoller.coordination.events import Cause, Why
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import (
    Answered,
    AwaitClaim,
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
    Happening,
    Overslept,
    PassClaim,
    Policy,
    PollAgain,
    RivalGone,
    RivalSeen,
    State,
    TellCameBack,
    TellEpisodeClosed,
    TellEpisodeOpened,
    TellStoodBy,
    TimePassed,
    UpdatesTaken,
    Watch,
    WebhookGone,
)
from onepoller.coordination.stores.seam import Episode

BOT = BotId(42)
HOLD = Policy(on_rival=OnRival.HOLD)
YIELD = Policy(on_rival=OnRival.YIELD)
POLLING = State(role=Role.POLLING, term=Term(3), taken_at=0.0)


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
    Answered(updates=1, elapsed=1.0),
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
    answer = Answered(updates=1, elapsed=0.05)

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


def test_hold_polls_again_at_once_and_renews() -> None:
    """The rival, not we, is put on the server's 3 s hold."""
    decision = decide(POLLING, rival(), 10.0, HOLD)

    assert decision.state.role is Role.CONTENDED
    assert decision.actions == (TellEpisodeOpened(kind=Kind.RIVAL), PollAgain(after=0.0))
    assert decision.state.renew_at == 11.5


def test_hold_pauses_from_the_third_quick_conflict_on() -> None:
    """A server that refuses the newcomer would otherwise make a storm of it."""
    state = POLLING
    pauses = []
    for number in range(4):
        decision = decide(state, rival(0.1, jitter=0.25), 10.0 + number, HOLD)
        state = decision.state
        pauses += [a.after for a in decision.actions if isinstance(a, PollAgain)]

    assert pauses == [0.0, 0.0, 0.75, 0.75]


def test_an_answered_poll_ends_a_row_of_quick_conflicts() -> None:
    """Only conflicts in a row count."""
    state = decide(replace(POLLING, quick_conflicts=2), Answered(updates=0, elapsed=1.0), 1.0, HOLD).state

    assert state.quick_conflicts == 0


def test_yield_stops_polling_and_watches() -> None:
    """The claim is kept, so that our peers do not walk into the same fight."""
    decision = decide(POLLING, rival(), 10.0, YIELD)

    assert (decision.state.yielding, decision.state.term) == (True, 3)
    assert decision.actions[-1] == Watch()


def test_exit_ends_the_process() -> None:
    """For those whose supervisor wants it."""
    decision = decide(POLLING, rival(), 10.0, Policy(on_rival=OnRival.EXIT))

    assert any(isinstance(action, EndProcess) for action in decision.actions)


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

    assert decide(state, Answered(updates=1, elapsed=1.0), 12.0, HOLD).state.episode is not None


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


def test_a_peers_conflict_means_standby_at_once() -> None:
    """The store knows who has the claim."""
    decision = decide(POLLING, rival(kind=Kind.PEER), 10.0, HOLD)

    assert (decision.state.role, decision.state.term) == (Role.STANDBY, None)
    assert decision.actions[-1] == AwaitClaim()


def test_a_ghost_is_no_episode() -> None:
    """It is waited out, 1 to 3 s."""
    decision = decide(POLLING, rival(0.1, kind=Kind.GHOST, jitter=0.5), 10.0, HOLD)

    assert (decision.state, decision.actions) == (POLLING, (PollAgain(after=2.0),))


@pytest.mark.parametrize("kind", [Kind.WEBHOOK_ACTIVE, Kind.WEBHOOK_SET])
def test_a_webhook_blocks_until_it_is_gone(kind: Kind) -> None:
    """It is watched; nothing is deleted; polling resumes by itself."""
    blocked = decide(POLLING, rival(kind=kind), 10.0, HOLD)
    resumed = decide(blocked.state, WebhookGone(), 20.0, HOLD)

    assert blocked.actions[-1] == Watch()
    assert (resumed.state.role, resumed.actions[-1]) == (Role.POLLING, PollAgain())


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
    state = decide(state, Answered(updates=0, elapsed=1.0), 30.0, HOLD).state

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

    assert decide(draining, Answered(updates=3, elapsed=1.0), 2.0, HOLD).actions == (HandOn(),)


AUTO = Policy(on_rival=OnRival.AUTO)
ESTABLISHED = replace(POLLING, established_at=-100.0)
"""For 100 s at the time 0."""


def test_on_trial_the_first_409_means_standby() -> None:
    """The newcomer yields; it is told with the opening of the episode."""
    decision = decide(POLLING, rival(), 10.0, AUTO)

    assert (decision.state.role, decision.state.yielding) == (Role.CONTENDED, True)
    assert [type(a) for a in decision.actions] == [TellEpisodeOpened, TellStoodBy, Watch]


def test_the_seconds_until_the_409_count_for_the_trial() -> None:
    """Who has had calls open for 8 s is established, however the last of them ends."""
    tried = replace(POLLING, trial=4.7)

    assert decide(tried, rival(3.2), 10.0, AUTO).state.yielding
    decision = decide(tried, rival(3.4), 10.0, AUTO)
    assert (decision.state.yielding, decision.state.established_at) == (False, 10.0)


def test_an_established_poller_answers_a_409_as_hold_does() -> None:
    """The incumbent holds: it polls again at once, and renews 1.5 s later."""
    decision = decide(ESTABLISHED, rival(), 0.0, AUTO)

    assert decision.actions == (TellEpisodeOpened(kind=Kind.RIVAL), PollAgain(after=0.0))
    assert (decision.state.renew_at, decision.state.insist_until) == (1.5, 103.0)


@pytest.mark.parametrize(
    ("state", "happened", "policy", "expected"),
    [
        pytest.param(POLLING, rival(), AUTO, Why.NEW, id="on trial"),
        pytest.param(
            replace(ESTABLISHED, insist_until=-1.0), rival(), AUTO, Why.INSISTED, id="for long enough"
        ),
        pytest.param(
            replace(ESTABLISHED, quick_conflicts=29), rival(elapsed=0.1), AUTO, Why.REFUSED, id="refused"
        ),
        pytest.param(ESTABLISHED, RivalSeen(), AUTO, Why.SEEN, id="it came while our calls failed"),
        pytest.param(replace(POLLING, came_back=True), rival(), AUTO, Why.CAME_BACK, id="it was not gone"),
        pytest.param(POLLING, rival(), Policy(on_rival=OnRival.YIELD), Why.TOLD, id="yield"),
        pytest.param(
            replace(POLLING, came_back=True),
            rival(),
            Policy(on_rival=OnRival.YIELD),
            Why.CAME_BACK,
            id="yield, and it was not gone",
        ),
    ],
)
def test_who_stands_by_says_why(state: State, happened: Happening, policy: Policy, expected: Why) -> None:
    """That the other one was here before us is true of a newcomer only."""
    told = [a.why for a in decide(state, happened, 0.0, policy).actions if isinstance(a, TellStoodBy)]

    assert told == [expected]


def test_an_established_poller_stands_by_once_it_has_insisted_for_its_tenure() -> None:
    """The rival has been here for longer."""
    fighting = decide(ESTABLISHED, rival(), 0.0, AUTO).state

    assert not decide(fighting, rival(), 102.9, AUTO).state.yielding
    assert decide(fighting, rival(), 103.0, AUTO).state.yielding


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


def test_hold_never_yields() -> None:
    """However young it is, and however long it lasts."""
    state = POLLING
    for second in range(0, 100_000, 60):
        state = decide(state, rival(), float(second), HOLD).state

    assert not state.yielding


def test_a_look_that_sees_somebody_stands_by() -> None:
    """No 409 was met, and none is counted."""
    decision = decide(replace(POLLING, look=5.0), RivalSeen(), 10.0, AUTO)

    assert (decision.state.yielding, decision.state.look) == (True, 0.0)
    assert decision.state.episode is not None
    assert decision.state.episode.conflicts == 0


def test_a_look_that_sees_nobody_polls() -> None:
    """The tenure is what it was."""
    decision = decide(replace(ESTABLISHED, look=2.5), RivalGone(), 10.0, AUTO)

    assert (decision.state, decision.actions) == (ESTABLISHED, (PollAgain(),))


def test_who_stands_by_and_sees_nobody_polls_and_keeps_the_episode_open() -> None:
    """One won poll ends none; the quiet is counted from here."""
    yielding = decide(POLLING, rival(), 10.0, AUTO).state
    back = decide(yielding, RivalGone(), 60.0, AUTO)

    assert (back.state.yielding, back.state.role) == (False, Role.CONTENDED)
    assert [type(a) for a in back.actions] == [TellCameBack, PollAgain]
    assert decide(back.state, TimePassed(), 69.9, AUTO).state.role is Role.CONTENDED
    assert decide(back.state, TimePassed(), 70.0, AUTO).state.role is Role.POLLING


def test_the_first_409_after_a_come_back_means_standby() -> None:
    """Whoever comes back is on trial, however long it had the bot before."""
    yielding = decide(ESTABLISHED, rival(), 0.0, YIELD).state
    back = decide(yielding, RivalGone(), 60.0, AUTO).state

    assert decide(back, rival(), 61.0, AUTO).state.yielding


def test_an_episode_does_not_become_quiet_while_we_stand_by() -> None:
    """It is quiet because we do not poll."""
    yielding = decide(POLLING, rival(), 10.0, AUTO).state

    assert decide(yielding, TimePassed(), 10_000.0, AUTO).state is yielding


@pytest.mark.parametrize(("state", "stands_by"), [(POLLING, True), (ESTABLISHED, False)])
def test_updates_that_somebody_takes_are_met_like_a_409(
    state: State,
    stands_by: bool,
) -> None:
    """A rival that polls briefly causes none. The batch is handed on, so nothing is watched in this call."""
    decision = decide(state, UpdatesTaken(jitter=0.5), 0.0, AUTO)

    assert (decision.state.role, decision.state.yielding) == (Role.CONTENDED, stands_by)
    assert not [a for a in decision.actions if isinstance(a, Watch)]


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
    decision = decide(ESTABLISHED, Answered(updates=0, elapsed=30.0), 5.0, AUTO)

    assert (decision.state is ESTABLISHED, decision.actions) == (True, (HandOn(),))


def test_a_webhook_between_two_fights_makes_the_second_one_begin_anew() -> None:
    """An established poller insists for its whole tenure in each."""
    state = decide(ESTABLISHED, rival(), 0.0, AUTO).state
    state = decide(state, rival(kind=Kind.WEBHOOK_SET), 10.0, AUTO).state
    state = decide(state, WebhookGone(), 200.0, AUTO).state

    assert not decide(state, rival(), 201.0, AUTO).state.yielding


def test_a_webhook_ends_a_standby_for_a_rival() -> None:
    """When it is gone we poll, on trial: there is no episode left that could end."""
    state = decide(POLLING, rival(), 0.0, AUTO).state
    state = decide(state, rival(kind=Kind.WEBHOOK_ACTIVE), 1.0, AUTO).state
    state = decide(state, WebhookGone(), 2.0, AUTO).state

    assert (state.role, state.yielding) == (Role.POLLING, False)
