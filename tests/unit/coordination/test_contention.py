"""Who yields, where a 409 or a look shows a rival or a webhook."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onepoller.coordination.conflict import Kind
from onepoller.coordination.decide import decide
from onepoller.coordination.events import Why
from onepoller.coordination.identity import Term
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import (
    AwaitClaim,
    ConflictMet,
    EndProcess,
    Happening,
    Policy,
    PollAgain,
    RivalGone,
    RivalSeen,
    State,
    TellCameBack,
    TellEpisodeOpened,
    TellStoodBy,
    TimePassed,
    UpdatesTaken,
    Watch,
    WebhookGone,
)

HOLD = Policy(on_rival=OnRival.HOLD)
YIELD = Policy(on_rival=OnRival.YIELD)
AUTO = Policy(on_rival=OnRival.AUTO)
POLLING = State(role=Role.POLLING, term=Term(3), taken_at=0.0)
ESTABLISHED = replace(POLLING, established_at=-100.0)
"""For 100 s at the time 0."""


def rival(elapsed: float = 2.0, *, kind: Kind = Kind.RIVAL, jitter: float = 0.5) -> ConflictMet:
    """A 409 of a rival."""
    return ConflictMet(kind=kind, elapsed=elapsed, jitter=jitter)


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


def test_yield_stops_polling_and_watches() -> None:
    """The claim is kept, so that our peers do not walk into the same fight."""
    decision = decide(POLLING, rival(), 10.0, YIELD)

    assert (decision.state.yielding, decision.state.term) == (True, 3)
    assert decision.actions[-1] == Watch()


def test_exit_ends_the_process() -> None:
    """For those whose supervisor wants it."""
    decision = decide(POLLING, rival(), 10.0, Policy(on_rival=OnRival.EXIT))

    assert any(isinstance(action, EndProcess) for action in decision.actions)


def test_a_peers_conflict_means_standby_at_once() -> None:
    """The store knows who has the claim."""
    decision = decide(POLLING, rival(kind=Kind.PEER), 10.0, HOLD)

    assert (decision.state.role, decision.state.term) == (Role.STANDBY, None)
    assert decision.actions[-1] == AwaitClaim()


@pytest.mark.parametrize(("elapsed", "after"), [(0.1, 2.0), (3.0, 0.0)])
def test_a_ghost_is_no_episode(elapsed: float, after: float) -> None:
    """It is waited out, 1 to 3 s; one whose 409 came late has kept us waiting already."""
    decision = decide(POLLING, rival(elapsed, kind=Kind.GHOST, jitter=0.5), 10.0, HOLD)

    assert (decision.state, decision.actions) == (POLLING, (PollAgain(after=after),))


@pytest.mark.parametrize("kind", [Kind.WEBHOOK_ACTIVE, Kind.WEBHOOK_SET])
def test_a_webhook_blocks_until_it_is_gone(kind: Kind) -> None:
    """It is watched; nothing is deleted; polling resumes by itself."""
    blocked = decide(POLLING, rival(kind=kind), 10.0, HOLD)
    resumed = decide(blocked.state, WebhookGone(), 20.0, HOLD)

    assert blocked.actions[-1] == Watch()
    assert (resumed.state.role, resumed.actions[-1]) == (Role.POLLING, PollAgain())


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


@pytest.mark.parametrize(("state", "stands_by"), [(POLLING, True), (ESTABLISHED, False)])
def test_updates_that_somebody_takes_are_met_like_a_409(
    state: State,
    stands_by: bool,
) -> None:
    """A rival that polls briefly causes none. The batch is handed on, so nothing is watched in this call."""
    decision = decide(state, UpdatesTaken(jitter=0.5), 0.0, AUTO)

    assert (decision.state.role, decision.state.yielding) == (Role.CONTENDED, stands_by)
    assert not [a for a in decision.actions if isinstance(a, Watch)]


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
