"""Hundreds of runs of every scenario: no promise is broken, and the figures are within the bounds."""

from __future__ import annotations

from functools import cache

import pytest

from tests.simulation.runs import Key, Outcome, journal, keys, run
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.table import quantile, values

pytestmark = pytest.mark.slow
RUNS = 40
"""Of each scenario, over its policies and both models of the server; 10,000 in all are `make simulate`."""


KINDS = [
    pytest.param(
        scenario,
        policy,
        id=f"{scenario}, {policy}",
    )
    for scenario, played in SCENARIOS.items()
    for policy in played.policies
]
"""Every scenario with every policy for which it makes a difference."""


@cache
def outcomes(scenario: str) -> list[Outcome]:
    """Play a scenario many times, once for all tests."""
    return [run(key) for key in keys(RUNS, scenario=scenario)]


def figures(name: str, *scenarios: str, policy: str) -> list[float]:
    """One figure of the runs with a policy, at the published server."""
    return [
        value
        for scenario in scenarios
        for value in values(
            [o for o in outcomes(scenario) if (o.key.policy, o.key.model) == (policy, "published")], name
        )
    ]


@pytest.mark.parametrize(("scenario", "policy"), KINDS)
def test_no_promise_is_broken(scenario: str, policy: str) -> None:
    """Each sentence names its run, which replays with `python -m tests.simulation` and these options."""
    of = [outcome for outcome in outcomes(scenario) if outcome.key.policy == policy]
    broken = [f"{outcome.key.options}: {sentence}" for outcome in of for sentence in outcome.breaches]

    assert not broken


def test_hold_keeps_the_messages() -> None:
    """Beside frameworks that back off, at two messages a second: 95 of 100 in half of the runs."""
    kept = figures("share", "rival_ptb", "rival_aiogram", "rival_telebot", policy="hold")

    assert quantile(kept, 0.5) >= 95.0


def test_who_yields_comes_back() -> None:
    """In nine of ten runs within 15 s, once the rival has gone, of the first message that waits."""
    back = figures("back", "rival_ptb", "rival_aiogram", "rival_telebot", "rival_fixed", policy="yield")

    assert quantile(back, 0.9) <= 15.0


def test_a_run_happens_the_same_way_again() -> None:
    """All that the server saw and our processes told, byte for byte."""
    key = Key(scenario="freezes_and_clocks", policy="hold", model="published", seed=1)

    assert journal(key) == journal(key)


def test_another_seed_is_another_run() -> None:
    """The seed decides what happens."""
    first, second = (
        journal(Key(scenario="rival_ptb", policy="hold", model="published", seed=seed)) for seed in (1, 2)
    )

    assert first != second
