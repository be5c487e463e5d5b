"""Whether and when COMMAND starts again, as numbers."""

from __future__ import annotations

import pytest

from onepoller.adapters.command.restart import Backoff, Restart, is_due


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        (Restart.NEVER, 0, False),
        (Restart.NEVER, 1, False),
        (Restart.ON_FAILURE, 0, False),
        (Restart.ON_FAILURE, 1, True),
        (Restart.ON_FAILURE, 143, True),
        (Restart.ALWAYS, 0, True),
        (Restart.ALWAYS, 1, True),
    ],
)
def test_the_policy_and_the_exit_code_decide(policy: Restart, code: int, again: bool) -> None:
    """A failure is any code but 0."""
    assert is_due(policy, code=code) is again


def pauses(lives: list[float], *, chance: float = 0.0) -> list[float]:
    """The pause after each of these lives."""
    backoff, found = Backoff(), []
    for lived in lives:
        backoff, pause = backoff.after(lived=lived, chance=chance)
        found.append(pause)
    return found


@pytest.mark.parametrize("lived", [0.0, 11.0, 61.0, 299.0])
def test_a_crash_loop_climbs_to_a_minute_and_stays(lived: float) -> None:
    """Whatever its rhythm below five minutes: a short success between two crashes earns nothing."""
    assert pauses([lived] * 9) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_five_minutes_of_life_take_one_step_back() -> None:
    """Half an hour after a bad time the next crash waits as long as the first did."""
    assert pauses([0.0] * 7 + [300.0, 300.0, 1800.0]) == [1, 2, 4, 8, 16, 32, 60, 60, 60, 2]
    assert pauses([0.0] * 3 + [1800.0]) == [1, 2, 4, 1]


def test_chance_makes_a_pause_a_fifth_longer_at_most() -> None:
    """A fleet that crashed together does not start together."""
    assert pauses([0.0, 0.0], chance=1.0) == [1.2, 2.4]
