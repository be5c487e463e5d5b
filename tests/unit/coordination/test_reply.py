"""Reading the bodies of the Bot API: quickly where they are the server's own, rightly in every case."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onepoller.coordination.reply import EMPTY_BODY, decoded, outcome_of, outcome_of_content
from onepoller.coordination.wire import Delivered

TRICKY = st.sampled_from(['{"update_id":9}', '\\"update_id\\":9', '{"update_id":', "}]}", '{"ok":true'])


def body_of(updates: list[tuple[int, str]]) -> bytes:
    """A batch in the server's own spelling: a line break after the id, nothing else between."""
    rows = ",".join(f'{{"update_id":{i},\n"message":{{"text":{json.dumps(text)}}}}}' for i, text in updates)
    return f'{{"ok":true,"result":[{rows}]}}'.encode()


@given(st.lists(st.tuples(st.integers(1, 2_000_000_000), st.text() | TRICKY), min_size=1, max_size=5))
def test_the_ids_of_a_batch_are_those_that_json_finds(updates: list[tuple[int, str]]) -> None:
    """Whatever people write into their messages."""
    content = body_of(updates)

    outcome = outcome_of_content(200, content, "reply")

    assert isinstance(outcome, Delivered)
    assert list(outcome.update_ids) == [u["update_id"] for u in json.loads(content)["result"]]
    assert outcome.reply == "reply"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (EMPTY_BODY, {"ok": True, "result": []}),
        (
            b'{"ok": true, "result": [{"update_id": 5, "x": 1}]}',
            {"ok": True, "result": [{"update_id": 5, "x": 1}]},
        ),
        (
            b'{"ok":false,"error_code":409,"description":"c"}',
            {"ok": False, "error_code": 409, "description": "c"},
        ),
        (b'{"ok":true,"result":[{"upda', None),
        (b"<html>502</html>", None),
        (b"[1]", None),
        (b"", None),
    ],
)
def test_every_other_body_is_decoded(content: bytes, expected: dict[str, object] | None) -> None:
    """Another spelling, an error, no JSON, no object."""
    assert decoded(content) == expected
    assert outcome_of_content(200, content, "reply") == outcome_of(200, expected, "reply")
