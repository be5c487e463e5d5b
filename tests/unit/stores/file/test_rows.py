"""How ids become conditions."""

from __future__ import annotations

import sqlite3

import pytest

from onepoller.coordination.stores.file.rows import among


@pytest.mark.parametrize("ids", [[], [2], [1, 3], ["2"]])
def test_a_condition_finds_the_rows_of_its_ids(ids: list[int | str]) -> None:
    """None of them, one, or many."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE bots (id INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO bots VALUES (?)", [(1,), (2,), (3,)])
    condition, parameter = among("id", ids)

    rows = connection.execute(f"SELECT id FROM bots WHERE {condition}", (parameter,)).fetchall()  # noqa: S608  # our own names
    connection.close()

    assert [row[0] for row in rows] == [int(id_) for id_ in ids]


def test_none_and_one_are_the_same_statement() -> None:
    """A takeover finds it compiled by the wish that came before."""
    assert among("id", [])[0] == among("id", [7])[0]
