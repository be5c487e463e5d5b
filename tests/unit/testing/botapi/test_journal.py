"""The rows of the journal and their versions."""

from __future__ import annotations

import json

from onepoller.testing.botapi.journal import Journal, Row, of_bot, row_from_json, row_json


def opened(journal: Journal, *, now: float = 0.0, bot_id: int = 1) -> Row:
    """Write a row."""
    return journal.open(bot_id=bot_id, poller="p", connection=1, method="getupdates", now=now)


def test_a_change_is_seen_by_who_asks_since_a_version() -> None:
    """Old rows come again when they have changed, in the order of arrival."""
    journal = Journal()
    first, second = opened(journal), opened(journal)
    seen = journal.version
    journal.changed(first)
    third = opened(journal)

    assert journal.rows(since=seen) == [first, third]
    assert journal.rows() == [first, second, third]
    assert journal.rows(since=journal.version) == []


def test_the_journal_is_bounded() -> None:
    """The least recently changed row goes first."""
    journal = Journal(keep=2)
    first = opened(journal)
    opened(journal)
    journal.changed(first)
    third = opened(journal)

    assert journal.rows() == [first, third]


def test_pushes_are_versioned_too() -> None:
    """By the same counter, and bounded."""
    journal = Journal(keep=1)
    journal.pushed(bot_id=1, number=1, kind="message", now=0, update_id=5)
    seen = journal.version
    made = journal.pushed(bot_id=1, number=2, kind="message", now=0, update_id=6)

    assert journal.pushes(since=seen) == [made]
    assert journal.pushes() == [made]


def test_rows_survive_json() -> None:
    """What the control API sends is read back unchanged."""
    row = opened(Journal())
    row.update_ids, row.confirmed, row.beside, row.closed_at = (1, 2), (3,), (4,), 1.5

    assert row_from_json(json.loads(json.dumps(row_json(row)))) == row


def test_a_row_is_a_ghost_if_its_client_left_before_the_end() -> None:
    """Also while it is still parked."""
    row = opened(Journal())
    states = [row.is_ghost]
    row.closed_at = 5.0
    states.append(row.is_ghost)
    row.ended_at = 4.0
    states.append(row.is_ghost)
    row.ended_at = 5.0
    states.append(row.is_ghost)

    assert states == [False, True, False, True]


def test_rows_of_one_bot() -> None:
    """The others are left out."""
    journal = Journal()
    opened(journal)
    other = opened(journal, bot_id=2)

    assert of_bot(journal.rows(), 2) == [other]
