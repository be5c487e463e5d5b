"""Random lives of one bot in one process: whatever happens, in whatever order, `decide` keeps its promises.

Beside it runs a model so naive that it can be checked by eye: whether we are established, and what that means
for the next 409.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from onepoller.coordination.conflict import RIVAL_KINDS, WEBHOOK_KINDS, Kind
from onepoller.coordination.decide import decide, is_undisturbed
from onepoller.coordination.events import Cause
from onepoller.coordination.identity import Term
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import (
    Answered,
    Called,
    ClaimDenied,
    ClaimLost,
    ClaimTaken,
    ConflictMet,
    Decision,
    Failed,
    HandOn,
    HandoverAsked,
    HandoverFailed,
    Happening,
    OpenEpisode,
    Overslept,
    Policy,
    RivalGone,
    RivalSeen,
    State,
    TimePassed,
    UpdatesTaken,
    WebhookGone,
)
from onepoller.coordination.stores.seam import Episode

pytestmark = pytest.mark.slow
AUTO = Policy(on_rival=OnRival.AUTO)
HAS_CLAIM = {Role.POLLING, Role.CONTENDED, Role.BLOCKED, Role.DRAINING}
POLLS = {Role.POLLING, Role.CONTENDED}

chance = st.sampled_from([0.0, 0.5, 1.0])
seconds = st.sampled_from([0.0, 0.1, 1.0, 7.9, 8.0, 15.0, 16.0, 61.0])
episodes = st.none() | st.builds(
    Episode, kind=st.sampled_from(Kind), since=st.just(0.0), conflicts=st.just(2), stands_by=st.booleans()
)
happenings: st.SearchStrategy[Happening] = st.one_of(
    st.just(Called()),
    st.builds(
        ClaimTaken,
        term=st.just(Term(5)),
        cause=st.sampled_from([Cause.FREE, Cause.DIED]),
        clean=st.booleans(),
        episode=episodes,
        tenure=st.none() | seconds,
        jitter=chance,
    ),
    st.just(ClaimDenied(holder=None)),
    st.builds(ClaimLost, cause=st.sampled_from([Cause.SESSION, Cause.STOPPED])),
    st.builds(Answered, elapsed=seconds),
    st.builds(Failed, unauthorized=st.booleans(), silence=seconds),
    st.builds(ConflictMet, kind=st.sampled_from(Kind), elapsed=seconds, jitter=chance),
    st.builds(ConflictMet, kind=st.just(Kind.RIVAL), elapsed=seconds, jitter=chance),
    st.just(WebhookGone()),
    st.builds(RivalGone, unopposed=st.booleans()),
    st.just(RivalSeen()),
    st.builds(UpdatesTaken, jitter=chance),
    st.builds(Overslept, silence=st.just(61.0)),
    st.just(HandoverAsked()),
    st.just(HandoverFailed()),
    st.just(TimePassed()),
)
lives = st.lists(st.tuples(seconds, happenings), max_size=60)


def can_happen(state: State, happened: Happening) -> bool:
    """Whether a guard would ever say this in this state."""
    match happened:
        case ConflictMet(kind=kind) if state.role not in HAS_CLAIM:
            return kind is Kind.PEER
        case ConflictMet(kind=kind):
            # Who stands by does not poll; but a poll that nobody could end may come back.
            return not state.yielding or kind in WEBHOOK_KINDS
        case Answered() | UpdatesTaken() | RivalSeen():
            return not state.yielding
        case _:
            return True


def lived(life: list[tuple[float, Happening]], policy: Policy = AUTO) -> State:
    """The state at the end of a life."""
    state, now = State(), 100.0
    for pause, happened in life:
        now += pause
        if can_happen(state, happened):
            state = decide(state, happened, now, policy).state
    return state


@given(lives, st.sampled_from(OnRival), st.booleans())
@settings(max_examples=200)
def test_nothing_that_can_happen_raises(
    life: list[tuple[float, Happening]],
    on_rival: OnRival,
    standby: bool,
) -> None:
    """Under every policy: an exception here would come out of the framework's getUpdates."""
    lived(life, Policy(on_rival=on_rival, standby=standby))


@given(lives)
@settings(max_examples=200)
def test_every_state_but_stopped_leads_back_to_polling(life: list[tuple[float, Happening]]) -> None:
    """In a world that has become calm, and without a restart."""
    state = lived(life)
    for _ in range(4):
        if state.role is Role.STOPPED:
            state = decide(state, Called(), 1e6, AUTO).state
        elif state.role not in HAS_CLAIM:
            state = decide(state, ClaimTaken(term=Term(9), cause=Cause.FREE), 1e6, AUTO).state
        elif state.role is Role.DRAINING:
            state = decide(state, HandoverFailed(), 1e6, AUTO).state
        elif state.role is Role.BLOCKED:
            state = decide(state, WebhookGone(), 1e6, AUTO).state
        elif state.yielding or state.look:
            state = decide(state, RivalGone(), 1e6, AUTO).state

    assert state.role in POLLS
    assert not state.yielding
    assert not state.look


def states(life: list[tuple[float, Happening]], policy: Policy) -> Iterator[State]:
    """Each state of a life, and each with a calm minute after it."""
    for length in range(len(life) + 1):
        state = lived(life[:length], policy)
        yield state
        if state.role is Role.POLLING and not (state.look or state.yielding):
            yield decide(state, Answered(elapsed=60.0), 1e6, policy).state


@given(st.lists(st.tuples(seconds, happenings), max_size=20), st.sampled_from(OnRival), seconds)
@settings(max_examples=200)
def test_an_answer_changes_nothing_where_it_is_said_to(
    life: list[tuple[float, Happening]], on_rival: OnRival, elapsed: float
) -> None:
    """A poll of such a state asks nobody: what would have been said is "hand it on"."""
    policy = Policy(on_rival=on_rival)
    for state in states(life, policy):
        if is_undisturbed(state):
            assert decide(state, Answered(elapsed=elapsed), 2e6, policy) == Decision(
                state=state, actions=(HandOn(),)
            )


DISTURBED = [
    {"established_at": None},
    {"episode": OpenEpisode(kind=Kind.RIVAL, since=1.0)},
    {"role": Role.CONTENDED, "episode": OpenEpisode(kind=Kind.RIVAL, since=1.0)},
    {"look_at": 1.0},
    {"failing_since": 1.0},
    {"unclean": True},
    {"handed": True, "unclean": True},
    {"quick_conflicts": 1},
    {"passes": 1},
]


@pytest.mark.parametrize("what", DISTURBED, ids=str)
def test_whatever_an_answer_would_change_is_asked_for(what: dict[str, Any]) -> None:
    """Each of these alone."""
    old = State(role=Role.POLLING, term=Term(5), established_at=1.0)
    assert is_undisturbed(old)
    assert not is_undisturbed(replace(old, **what))


@pytest.mark.parametrize("on_rival", OnRival)
def test_an_old_term_is_undisturbed(on_rival: OnRival) -> None:
    """Under each policy, once a trial's time has passed; and it would not be, were there a 409."""
    policy = Policy(on_rival=on_rival)
    state = decide(State(), ClaimTaken(term=Term(5), cause=Cause.FREE, tenure=0.0), 100.0, policy).state
    for now in (120.0, 180.0):
        state = decide(state, Answered(elapsed=20.0), now, policy).state
    assert is_undisturbed(state)
    met = decide(state, ConflictMet(kind=Kind.RIVAL, elapsed=1.0, jitter=0.5), 190.0, policy).state
    assert not is_undisturbed(met)


@dataclass(slots=True)
class Model:
    """What the rules of `auto` say of us: on trial for so many seconds yet, or established since then."""

    tried: float = 0.0
    established_at: float | None = None
    fight: float | None = None
    """Since when an established poller insists; None: there is no fight."""
    tenure: float = 0.0
    """What it was when the fight began."""

    def begins(self, *, established_at: float | None = None) -> None:
        """A trial, or a tenure that somebody left us."""
        self.tried, self.established_at, self.fight = 0.0, established_at, None

    def parked(self, seconds: float, now: float) -> None:
        """A poll was open for so long, whatever ended it."""
        self.tried += seconds
        if self.established_at is None and self.tried >= 8.0:
            self.established_at = now

    def meets(self, now: float) -> None:
        """A sign of a rival."""
        if self.established_at is not None and self.fight is None:
            self.fight, self.tenure = now, now - self.established_at

    def may_stand_by(self, now: float) -> bool:
        """Whether it would be too early."""
        return self.fight is None or now >= self.fight + 0.7 * self.tenure + 3.0 - 1e-6

    def follows(self, before: State, happened: Happening, after: State, now: float) -> None:
        """Take in what happened."""
        match happened:
            case ClaimTaken(tenure=tenure):
                self.begins(established_at=None if tenure is None else now - tenure)
            case Failed(silence=silence) | Overslept(silence=silence) if silence > 15.0:
                if before.role in POLLS | {Role.BLOCKED} and not before.yielding:
                    self.begins()
            case Answered(elapsed=elapsed) if before.role in POLLS | {Role.BLOCKED}:
                self.parked(elapsed, now)
            case RivalGone(unopposed=unopposed) if before.yielding and not after.yielding:
                self.begins(established_at=now if unopposed else None)
        if after.yielding:
            self.begins()
        if after.episode is None or after.episode.kind in WEBHOOK_KINDS:
            self.fight = None


@given(lives)
@settings(max_examples=400)
def test_the_incumbent_holds_and_the_newcomer_yields(life: list[tuple[float, Happening]]) -> None:
    """A trial's first 409 means standby; an established poller insists for 0.7 tenures and 3 s at least."""
    state, now, model = State(), 100.0, Model()
    for pause, happened in life:
        now += pause
        if not can_happen(state, happened):
            continue
        is_sign = isinstance(happened, UpdatesTaken) or (
            isinstance(happened, ConflictMet) and happened.kind in RIVAL_KINDS
        )
        before, state = state, decide(state, happened, now, AUTO).state
        if is_sign and before.role in POLLS | (
            {Role.BLOCKED} if isinstance(happened, ConflictMet) else set()
        ):
            model.parked(happened.elapsed if isinstance(happened, ConflictMet) else 0.0, now)
            model.meets(now)
            if model.established_at is None:
                assert state.yielding, "on trial the first 409 means standby"
            elif state.yielding:
                assert model.may_stand_by(now), "an established poller stood by too early"
        model.follows(before, happened, state, now)
        if state.role in HAS_CLAIM:
            assert (state.established_at is None) is (model.established_at is None)


@given(lives)
@settings(max_examples=400)
def test_the_look_in_standby_grows_only_where_a_come_back_was_undone(
    life: list[tuple[float, Happening]],
) -> None:
    """It doubles, to a quarter of an hour at most, and is short again where the rival stayed away."""
    state, now, is_back = State(), 100.0, False
    for pause, happened in life:
        now += pause
        if not can_happen(state, happened):
            continue
        before, state = state, decide(state, happened, now, AUTO).state
        if state.watch_for > before.watch_for:
            assert is_back
            assert state.yielding
            assert state.watch_for == min(2 * before.watch_for, 900.0)
        if state.watch_for < before.watch_for:
            assert state.watch_for == 8.0
        if isinstance(happened, RivalGone) and before.yielding:
            is_back = True
        elif isinstance(happened, ClaimTaken | ClaimLost) or state.yielding:
            is_back = False


@given(lives)
@settings(max_examples=200)
def test_who_stands_by_makes_no_look_before_a_poll(life: list[tuple[float, Happening]]) -> None:
    """It looks from outside already."""
    state = lived(life)

    assert not (state.yielding and (state.look or state.look_at < math.inf))
