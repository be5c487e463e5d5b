"""Questions to the journal, put to rows that the core wrote on virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onepoller.testing.botapi import analysis

from .conftest import BOT

if TYPE_CHECKING:
    from onepoller.testing.botapi import Row

    from .conftest import Stage


def rows(stage: Stage) -> list[Row]:
    """Give all rows."""
    return stage.api.journal.rows()


def test_two_open_polls_of_two_pollers_are_an_overlap(stage: Stage) -> None:
    """The pair is given, and that the second parked."""
    stage.poll(0, 30, at=0, poller="a")
    stage.poll(0, 30, at=5, poller="b")
    (overlap,) = analysis.overlaps(rows(stage))

    assert (overlap.first.poller, overlap.second.poller, overlap.at) == ("a", "b", 5)
    assert overlap.is_parking


def test_a_short_poll_beside_a_parked_one_is_an_overlap_that_parks_nothing(stage: Stage) -> None:
    """Both connections were open."""
    stage.poll(0, 30, at=0, poller="a")
    stage.poll(5, 0, at=5, poller="b")
    (overlap,) = analysis.overlaps(rows(stage))

    assert not overlap.is_parking


def test_two_polls_of_one_poller_are_no_overlap(stage: Stage) -> None:
    """That is a self-conflict, not two pollers."""
    stage.poll(0, 30, at=0, poller="a")
    stage.poll(0, 30, at=5, poller="a")

    assert analysis.overlaps(rows(stage)) == []
    assert len(analysis.conflicts(rows(stage))) == 1


def test_a_poll_whose_connection_is_closed_overlaps_nothing(stage: Stage) -> None:
    """Its 409 is a ghost's."""
    first = stage.poll(0, 30, at=0, poller="a")
    stage.api.closed(first, 1)
    stage.poll(0, 30, at=5, poller="b")

    assert analysis.overlaps(rows(stage)) == []
    assert analysis.conflicts(rows(stage)) == []
    assert [row.poller for row in analysis.ghosts(rows(stage))] == ["a"]


def test_a_poll_that_has_been_answered_overlaps_nothing(stage: Stage) -> None:
    """One after the other is one poller at a time."""
    stage.poll(0, 4, at=0, poller="a")
    stage.poll(0, 4, at=4, poller="b")

    assert analysis.overlaps(rows(stage)) == []


def test_polls_of_two_bots_do_not_overlap(stage: Stage) -> None:
    """Each bot is a world."""
    stage.poll(0, 30, at=0, poller="a")
    stage.poll(0, 30, at=1, poller="b", token=f"{BOT + 1}:" + "A" * 35)

    assert analysis.overlaps(rows(stage)) == []


def test_delivered_updates_by_poller(stage: Stage) -> None:
    """In order, without what went to closed connections."""
    one, two = stage.push(2, at=0)
    stage.poll(0, 0, at=1, poller="a", limit=1)
    stage.poll(0, 0, at=2, poller="b")
    ghost = stage.poll(two or 0, 0, at=3, poller="c")
    stage.row(ghost).closed_at = 3

    assert analysis.delivered(rows(stage)) == {"a": [one], "b": [one, two]}
    assert analysis.duplicates(rows(stage)) == {one: 2}


def test_undelivered_updates(stage: Stage) -> None:
    """What nobody was sent, filtered ones too."""
    stage.push(1, at=0)
    stage.poll(0, 0, at=1)
    stage.push(1, at=2, kind="chat_member")
    stage.push(1, at=2)
    made = analysis.undelivered(rows(stage), stage.api.journal.pushes())

    assert [update.number for update in made] == [2, 3]


def test_gaps_between_polls(stage: Stage) -> None:
    """From the end of one, or the going of its client, to the arrival of the next."""
    stage.poll(0, 4, at=2, poller="a")
    killed = stage.poll(1, 30, at=8, poller="a")
    stage.api.closed(killed, 10)
    stage.poll(1, 30, at=11, poller="b")
    found = analysis.gaps(rows(stage), start=0, end=20)

    assert [(gap.start, gap.end) for gap in found] == [(0, 2), (6, 8), (10, 11)]
    assert analysis.longest_gap(rows(stage), start=0, end=20) == 2


def test_a_bot_that_nobody_polls_is_one_gap(stage: Stage) -> None:
    """From start to end."""
    assert analysis.longest_gap(rows(stage), start=3, end=10) == 7


def test_overlapping_polls_leave_no_gap(stage: Stage) -> None:
    """The later end counts."""
    stage.poll(0, 30, at=0)
    stage.poll(5, 0, at=1)

    assert analysis.gaps(rows(stage), start=0, end=10) == []


def test_tallies(stage: Stage) -> None:
    """Polls, conflicts, ghosts, updates and overlaps of each poller."""
    stage.poll(0, 30, at=0, poller="a")
    second = stage.poll(0, 30, at=4, poller="b")
    stage.api.closed(second, 5)
    stage.poll(0, 30, at=8, poller="a")
    stage.push(2, at=9)
    stage.until(10)

    assert analysis.tallies(rows(stage)) == {
        "a": analysis.Tally(polls=2, conflicts=1, updates=2, overlaps=1),
        "b": analysis.Tally(polls=1, ghosts=1, overlaps=1),
    }
