"""Episodes: when one begins, what goes on with it, and when it has been quiet for long enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onepoller.coordination import episodes
from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import Term
from onepoller.coordination.report import Role
from onepoller.coordination.situation import OpenEpisode, State, TellEpisodeClosed, TellEpisodeOpened

CALM = State(role=Role.CONTENDED, term=Term(1))
OPEN = OpenEpisode(kind=Kind.RIVAL, since=0.0, last=100.0)


def fighting(*, longest_gap: float = 0.0, role: Role = Role.CONTENDED, yielding: bool = False) -> State:
    """A rival was last seen at 100 s."""
    return State(role=role, term=Term(1), yielding=yielding, episode=replace(OPEN, longest_gap=longest_gap))


def test_the_first_sign_opens_an_episode() -> None:
    """With the 409s that it came with."""
    told = episodes.signed(CALM, Kind.RIVAL, 5.0)

    assert told.state.episode == OpenEpisode(kind=Kind.RIVAL, since=5.0, conflicts=1, last=5.0)
    assert told.actions == (TellEpisodeOpened(kind=Kind.RIVAL),)


def test_a_sign_without_a_409_opens_an_episode_of_none() -> None:
    """A gap, or a look that saw somebody."""
    episode = episodes.signed(CALM, Kind.RIVAL, 5.0, conflicts=0).state.episode

    assert episode is not None
    assert episode.conflicts == 0


def test_a_later_sign_is_counted_and_tells_nothing() -> None:
    """Episodes are counted, not 409s."""
    told = episodes.signed(fighting(), Kind.RIVAL, 130.0)

    assert told.state.episode == replace(OPEN, conflicts=2, last=130.0, longest_gap=30.0)
    assert told.actions == ()


def test_the_longest_gap_between_two_signs_is_kept() -> None:
    """It is the rival's rhythm."""
    episode = episodes.signed(fighting(longest_gap=30.0), Kind.RIVAL, 101.0).state.episode

    assert episode is not None
    assert episode.longest_gap == 30.0


def test_a_409_of_an_unknown_text_belongs_to_a_rivals_episode() -> None:
    """Both are taken for a rival."""
    assert episodes.signed(fighting(), Kind.UNKNOWN, 101.0).actions == ()


def test_a_sign_of_another_kind_ends_the_episode_and_opens_one() -> None:
    """A webhook that is set in the middle of a fight."""
    state = fighting()
    told = episodes.signed(state, Kind.WEBHOOK_SET, 110.0)

    assert state.episode is not None
    assert told.actions == (
        TellEpisodeClosed(episode=state.episode, resolution="replaced"),
        TellEpisodeOpened(kind=Kind.WEBHOOK_SET),
    )


def test_where_no_episode_is_open_none_is_closed() -> None:
    """Nothing changes, and nothing is told."""
    closed = episodes.closed(CALM, "rival_gone")

    assert (closed.state is CALM, closed.actions) == (True, ())


@pytest.mark.parametrize(
    ("longest_gap", "needed"),
    [
        pytest.param(0.0, 10.0, id="10 s at least"),
        pytest.param(6.0, 10.0, id="also for a quick rival"),
        pytest.param(30.0, 45.0, id="half as much again as the rival's own rhythm"),
        pytest.param(60.0, 90.0, id="at most 90 s"),
        pytest.param(600.0, 90.0, id="also for a slow one"),
    ],
)
def test_how_long_it_must_be_quiet(longest_gap: float, needed: float) -> None:
    """One won poll ends nothing: frameworks come back after 30 and 60 s."""
    state = fighting(longest_gap=longest_gap)

    assert episodes.once_quiet(state, 100.0 + needed - 0.1).state is state
    assert episodes.once_quiet(state, 100.0 + needed).state.episode is None


def test_when_it_is_quiet_one_polls_as_before_the_fight() -> None:
    """And in the next fight insists anew."""
    quiet = episodes.once_quiet(replace(fighting(), insist_until=90.0), 110.0)

    assert (quiet.state.role, quiet.state.insist_until) == (Role.POLLING, None)
    assert [a.resolution for a in quiet.actions if isinstance(a, TellEpisodeClosed)] == ["rival_gone"]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(fighting(yielding=True), id="while we stand by it is quiet because we do"),
        pytest.param(fighting(role=Role.BLOCKED), id="a webhook is gone when it is gone"),
        pytest.param(fighting(role=Role.DRAINING), id="a handover is under way"),
        pytest.param(CALM, id="there is no episode"),
    ],
)
def test_what_quiet_does_not_end(state: State) -> None:
    """However long it lasts."""
    assert episodes.once_quiet(state, 10_000.0).state is state
