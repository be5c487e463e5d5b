"""Parameters of a request: where they are looked for, which wins, and how leniently they are read."""

from __future__ import annotations

import pytest

from onepoller.coordination.arguments import arguments_of, changed_arguments, integer, is_true, request_of
from onepoller.coordination.wire import Request

FORM = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="x"'
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="timeout"\r\n\r\n30\r\n'
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nbytes\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("query", "kind", "body", "expected"),
    [
        pytest.param("offset=1&limit=", "", b"", {"offset": "1", "limit": ""}, id="query"),
        pytest.param("", FORM, b"offset=1&offset=2", {"offset": "1"}, id="of one name the first wins"),
        pytest.param("offset=1", FORM, b"offset=2&limit=3", {"offset": "1", "limit": "3"}, id="query wins"),
        pytest.param(
            "", "Application/JSON; charset=utf-8", b'{"a":1,"b":"x"}', {"a": "1", "b": "x"}, id="json"
        ),
        pytest.param("", "application/json", b'{"a":1,"a":2}', {"a": "1"}, id="json, the first wins"),
        pytest.param("", "application/json", b'{"a":["m"]}', {"a": '["m"]'}, id="json text is kept"),
        pytest.param("", "application/json", b'{"a":1', {}, id="broken json"),
        pytest.param("", "application/json", b"[1]", {}, id="no object"),
        pytest.param("", MULTIPART, PARTS, {"timeout": "30"}, id="multipart, files left out"),
        pytest.param("a=1", "text/plain", b"a=2&b=3", {"a": "1"}, id="no arguments in plain text"),
    ],
)
def test_where_arguments_are(query: str, kind: str, body: bytes, expected: dict[str, str]) -> None:
    """The query first, then a body of a kind that holds arguments."""
    assert arguments_of(query, kind, body) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((5, 5), ("5", 5), ("-1", -1), ("5abc", 5), ("5.9", 5), (5.9, 5), ("abc", 0), (" 5", 0), ("+5", 0)),
        *(("", 0), (True, 0), ("0" * 5000 + "7", 7)),
        *(("4294967295", -1), (4294967295, -1), ("2147483648", -2147483648)),
    ],
)
def test_integers(value: object, expected: int) -> None:
    """An optional minus and the digits that follow; overflow wraps."""
    assert integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (" YES ", True), ("1", True), ("on", False), ("", False)]
)
def test_booleans(value: object, *, expected: bool) -> None:
    """True, yes and 1, trimmed, in any case."""
    assert is_true(value) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, Request()),
        ({"offset": 7, "timeout": 10, "limit": 5}, Request(offset=7, limit=5, timeout=10.0)),
        ({"offset": "-1", "timeout": "600", "limit": "abc"}, Request(offset=-1, limit=1, timeout=50.0)),
        ({"offset": "", "timeout": "-1", "limit": ""}, Request()),
        ({"limit": 1000}, Request(limit=100)),
    ],
)
def test_a_get_updates_is_read_as_the_server_reads_it(
    arguments: dict[str, object], expected: Request
) -> None:
    """Clamped where the server clamps."""
    assert request_of(arguments) == expected


def test_what_has_changed_is_all_that_is_said() -> None:
    """An offset that was raised and a timeout that was shortened; the limit stays."""
    asked = Request(offset=1, limit=5, timeout=50.0)

    assert changed_arguments(asked, Request(offset=9, limit=5, timeout=7.0)) == {"offset": 9, "timeout": 7}


def test_a_limit_that_is_set_is_said() -> None:
    """The last confirm asks for one update, whatever the caller asked for."""
    assert changed_arguments(Request(offset=3), Request(offset=3, limit=1)) == {"limit": 1}
