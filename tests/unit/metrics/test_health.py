"""The verdict of /healthz: it fails only where a restart can help."""

from __future__ import annotations

import pytest

from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role
from onepoller.metrics.health import bot_health, health
from onepoller.metrics.tally import Tally

WELL = Tally("1", role=Role.POLLING, held=1)
STALLED = Tally("2", role=Role.STANDBY, stalled=True)
STOPPED = Tally("3", role=Role.STOPPED)
DEAF = Tally("4", role=Role.POLLING, held=1, unauthorized=True)
BLOCKED = Tally("5", role=Role.BLOCKED)


@pytest.mark.parametrize(
    ("bots", "is_well"),
    [
        pytest.param([], True, id="no bot yet"),
        pytest.param([WELL], True, id="it polls"),
        pytest.param([STALLED], False, id="its framework has stopped calling"),
        pytest.param([WELL, STALLED], True, id="one of two is called"),
        pytest.param([STALLED, STALLED], False, id="none of two is called"),
        pytest.param([STALLED, STOPPED], False, id="the only one that is wanted is not called"),
        pytest.param([STOPPED], True, id="stopped on purpose"),
        pytest.param([DEAF], True, id="Telegram refuses the token: a restart helps nothing"),
        pytest.param([BLOCKED], True, id="a webhook is in the way: a restart helps nothing"),
    ],
)
def test_a_process_is_ill_when_nobody_calls_any_more(bots: list[Tally], *, is_well: bool) -> None:
    """Every bot that is wanted must have stopped being called."""
    assert health({BotId(n): bot for n, bot in enumerate(bots)}, thread_alive=True).is_well is is_well


def test_a_process_is_ill_without_its_thread() -> None:
    """Nothing works without it, and a restart helps."""
    assert not health({BotId(1): WELL}, thread_alive=False).is_well


def test_the_stalled_are_named() -> None:
    """Also while the process as a whole is well."""
    assert health({BotId(1): WELL, BotId(2): STALLED}, thread_alive=True).body() == {
        "well": True,
        "reason": "1 of 2 bots are called",
        "stalled": 1,
        "stalled_bots": [2],
    }


@pytest.mark.parametrize(
    ("bot", "thread_alive", "is_well"), [(WELL, True, True), (STALLED, True, False), (WELL, False, False)]
)
def test_one_bot_is_judged_by_itself(bot: Tally, *, thread_alive: bool, is_well: bool) -> None:
    """For probes of one tenant."""
    assert bot_health(BotId(1), bot, thread_alive=thread_alive).is_well is is_well
