"""How foreign pollers wait."""

from __future__ import annotations

from random import Random

import pytest

from onepoller.testing.botapi.rivals import BEHAVIOURS, Rival


@pytest.mark.parametrize(
    ("name", "pauses"),
    [
        ("ptb", [1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375, 11.390625, 17.0859375, 25.62890625, 30.0, 30.0]),
        ("telebot", [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]),
        ("fixed", [3.0, 3.0, 3.0]),
        ("short", [4.0, 4.0]),
    ],
)
def test_pauses_after_failures(name: str, pauses: list[float]) -> None:
    """Each framework's own ladder, up to its cap."""
    rival = Rival(BEHAVIOURS[name], Random(1))

    assert [rival.answered(status=409) for _ in pauses] == pauses


def test_aiogram_s_pauses_jitter_around_its_ladder() -> None:
    """1, times 1.3, at most 5."""
    rival = Rival(BEHAVIOURS["aiogram"], Random(1))
    pauses = [rival.answered(status=409) for _ in range(10)]

    assert pauses[:4] == pytest.approx([1.0, 1.3, 1.69, 2.197], abs=0.4)
    assert max(pauses) <= 5.0


def test_a_success_resets_the_ladder() -> None:
    """The next failure is the first again."""
    rival = Rival(BEHAVIOURS["ptb"], Random(1))
    rival.answered(status=409)
    rival.answered(status=409)

    assert rival.answered(status=200) == 0.0
    assert rival.answered(status=409) == 1.0


def test_a_rival_confirms_with_its_next_call() -> None:
    """Its offset is one more than the last update."""
    rival = Rival(BEHAVIOURS["telebot"], Random(1))
    first = rival.arguments()
    rival.answered(status=200, update_ids=(5, 6))

    assert first == {"timeout": "20", "offset": "1"}
    assert rival.arguments() == {"timeout": "20", "offset": "7"}


def test_aiogram_sends_no_offset_at_first() -> None:
    """As observed."""
    assert Rival(BEHAVIOURS["aiogram"], Random(1)).arguments() == {"timeout": "10"}
