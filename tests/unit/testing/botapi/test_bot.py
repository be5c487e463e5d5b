"""Updates of a bot: filters, lives, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import kinds

from .conftest import BOT

if TYPE_CHECKING:
    from .conftest import Stage

ALL = '["' + '","'.join(kinds.KINDS) + '"]'
LIVES = [(kind, life) for kind, life in kinds.KINDS.items() if not kind.startswith("custom_")]


@pytest.mark.parametrize(("kind", "life"), LIVES)
def test_each_type_lives_its_time(stage: Stage, kind: str, life: int) -> None:
    """The last second is included."""
    stage.poll(0, 0, at=0, allowed_updates=ALL)
    ids = stage.push(1, at=10, kind=kind)

    assert stage.outcome(stage.poll(0, 0, at=10 + life)) == (10 + life, ids)
    assert stage.outcome(stage.poll(1, 0, at=11 + life)) == (11 + life, [])


def test_the_lives_are_the_server_s() -> None:
    """Seconds, for the types that do not live a day."""
    short = {kind: life for kind, life in kinds.KINDS.items() if life != 86400}

    assert short == {
        "inline_query": 30,
        "chosen_inline_result": 600,
        "callback_query": 150,
        "custom_event": 600,
        "shipping_query": 150,
        "pre_checkout_query": 150,
    }


def test_the_life_of_a_message_counts_from_its_date(stage: Stage) -> None:
    """A message that is nearly a day old is nearly gone."""
    date = stage.api.unix(0) - 86390
    stage.push(1, at=0, date=date)

    assert stage.outcome(stage.poll(0, 0, at=11)) == (11, [])


@pytest.mark.parametrize(("age", "is_queued"), [(86400, False), (86399, True)])
def test_a_message_a_day_old_is_not_queued(stage: Stage, age: int, *, is_queued: bool) -> None:
    """Exactly a day is too old."""
    (update_id,) = stage.push(1, at=0, date=stage.api.unix(0) - age)

    assert (update_id is not None) is is_queued


def test_a_filtered_update_uses_no_id(stage: Stage) -> None:
    """It is never queued and cannot be had later."""
    (first,) = stage.push(1, at=0)
    (filtered,) = stage.push(1, at=0, kind="chat_member")
    (second,) = stage.push(1, at=0)

    assert first is not None
    assert filtered is None
    assert second == first + 1


def test_updates_are_numbered_for_each_bot(stage: Stage) -> None:
    """From 1 on, whatever their type."""
    numbers = [made.number for made in stage.api.push(BOT, 2, now=0)]
    numbers += [made.number for made in stage.api.push(BOT, 1, now=0, kind="callback_query")]

    assert numbers == [1, 2, 3]
    assert [made.number for made in stage.api.push(BOT + 1, 1, now=0)] == [1]
