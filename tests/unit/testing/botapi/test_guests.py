"""Rivals, foreign webhooks and sources inside the fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import Behaviour, BotApi, conflicts, delivered, tallies

from .conftest import BOT

if TYPE_CHECKING:
    from .conftest import Stage


def test_a_rival_evicts_and_comes_back_as_its_framework_does(stage: Stage) -> None:
    """It is evicted by ours, waits a second, and evicts ours."""
    stage.api.guests.start_rival(BOT, "ptb", now=0, name="foe")
    first = stage.poll(0, 30, at=5)
    stage.until(20)

    (foe,) = [row for row in stage.api.journal.rows() if row.poller == "foe" and row.how == "conflict"]
    assert foe.ended_at == 5.0
    assert stage.outcome(first) == (9.0, "G")
    assert stage.row(first).evicted_at == 6.0


@pytest.mark.parametrize(
    ("behaviour", "conflicts_seen", "held", "split"),
    [("ptb", 31, 15, (40, 5)), ("aiogram", 33, 16, (39, 6)), ("telebot", 30, 15, (43, 2))],
)
def test_two_of_a_framework_fight_for_ever(
    behaviour: str, conflicts_seen: int, held: int, split: tuple[int, int]
) -> None:
    """As the real ones did at one update in 2 s for 90 s: half of the 409s held, one side starved."""
    api = BotApi(seed=1)
    api.guests.start_rival(BOT, behaviour, now=0, name="a")
    api.guests.start_rival(BOT, behaviour, now=0, name="b", after=0.4)
    api.guests.start_source(BOT, every=2.0, count=45, now=0.9)
    api.advance(90)
    rows = api.journal.rows()
    seen = conflicts(rows)
    late = [row for row in seen if row.ended_at != row.evicted_at]
    given = delivered(rows)

    assert (len(seen), len(late)) == (conflicts_seen, held)
    assert (len(given["a"]), len(given["b"])) == split


def test_a_stopped_rival_leaves_a_ghost(stage: Stage) -> None:
    """Its parked poll stays until it is evicted, unseen."""
    stage.api.guests.start_rival(BOT, "ptb", now=0, name="foe")
    stage.until(1)

    assert stage.api.guests.stop_rival("foe", now=2) is True

    stage.poll(0, 30, at=3, poller="ours")
    stage.until(60)

    assert tallies(stage.api.journal.rows())["foe"].ghosts == 1
    assert stage.api.guests.stop_rival("foe", now=4) is False


def test_a_rival_can_be_stopped_while_it_waits(stage: Stage) -> None:
    """It never calls again."""
    stage.api.guests.start_rival(BOT, "ptb", now=0, name="foe", after=5)
    stage.api.guests.stop_rival("foe", now=1)
    stage.until(10)

    assert stage.api.journal.rows() == []


def test_a_short_poller_takes_updates_without_any_409(stage: Stage) -> None:
    """It never parks."""
    ours = stage.poll(0, 50, at=0, poller="ours")
    behaviour = Behaviour(timeout=0, first_offset=1, first=4, factor=1, longest=4, between=4)
    stage.api.guests.start_rival(BOT, behaviour, now=1, name="foe")
    stage.until(40)

    assert stage.is_waiting(ours)
    assert tallies(stage.api.journal.rows())["foe"].polls == 10


@pytest.mark.parametrize(
    ("behaviour", "name"), [("nobody", "x"), ("ptb", "foe")], ids=["behaviour", "name taken"]
)
def test_impossible_rivals_are_refused(stage: Stage, behaviour: str, name: str) -> None:
    """With a sentence."""
    stage.api.guests.start_rival(BOT, "ptb", now=0, name="foe")

    with pytest.raises(ValueError, match=r"rival|behaves"):
        stage.api.guests.start_rival(BOT, behaviour, now=0, name=name)


def test_a_foreign_webhook_stands_in_the_way_of_the_bot_s_own_token(stage: Stage) -> None:
    """Also if it was set before the token was first seen."""
    stage.api.guests.set_webhook(BOT, "https://foe.example/", now=0)
    stage.until(1)
    poll = stage.poll(0, 30, at=2)
    stage.api.guests.set_webhook(BOT, "", now=3)
    after = stage.poll(0, 0, at=4)

    assert stage.outcome(poll) == (2.0, "W")
    assert stage.outcome(after) == (4.0, [])


def test_a_source_flows_until_it_is_empty(stage: Stage) -> None:
    """One at once, then one every so often."""
    stage.api.guests.start_source(BOT, every=2.0, count=3, now=1)
    stage.until(60)

    assert [made.at for made in stage.api.journal.pushes()] == [1, 3.0, 5.0]


def test_a_source_can_be_stopped(stage: Stage) -> None:
    """Others flow on."""
    stage.api.guests.start_source(BOT, every=2.0, count=9, now=0)
    stage.api.guests.start_source(BOT + 1, every=2.0, count=2, now=0)
    stage.api.guests.stop_sources(BOT)
    stage.until(60)

    assert [made.bot_id for made in stage.api.journal.pushes()] == [BOT, BOT + 1, BOT + 1]
