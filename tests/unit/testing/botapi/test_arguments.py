"""How query strings and bodies become arguments."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import arguments
from onepoller.testing.botapi.arguments import UnreadableError, read

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=xx"


def part(name: str, content: str, filename: str = "") -> bytes:
    """Give one part of a multipart body."""
    file = f'; filename="{filename}"' if filename else ""
    return f'--xx\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{content}\r\n'.encode()


def test_the_query_string_comes_first() -> None:
    """Of two arguments with one name the first wins, also across query and body."""
    found = read("a=1&a=2", FORM, b"a=3&b=4")

    assert found.arguments == {"a": "1", "b": "4"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a=x+y%20z", {"a": "x y z"}, id="plus and escapes are spaces"),
        pytest.param("a", {"a": ""}, id="a name alone is empty"),
        pytest.param("A=1&a=2", {"A": "1", "a": "2"}, id="names are case-sensitive"),
        pytest.param("a=%D0%96&b=%ff", {"a": "\u0416", "b": "\ufffd"}, id="utf-8"),
    ],
)
def test_forms(text: str, expected: dict[str, str]) -> None:
    """Query strings and form bodies are read alike."""
    assert read(text, "", b"").arguments == expected
    assert read("", FORM, text.encode()).arguments == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '{"a":10,"b":null,"c":["x", 1],"d":"10","e":true}',
            {"a": "10", "b": "null", "c": '["x", 1]', "d": "10", "e": "true"},
            id="only strings are decoded",
        ),
        pytest.param(' { "a" : "x\\u0416\\n" , "b":1.50 } ', {"a": "x\u0416\n", "b": "1.50"}, id="spaces"),
        pytest.param('{"a":1,"b":2', {"a": "1", "b": "2"}, id="a missing brace is no error"),
        pytest.param('{"a":1,"b":tru', {"a": "1"}, id="what was read before the fault counts"),
        pytest.param('{"a" 1}', {}, id="a missing colon"),
        pytest.param('{"a":1 "b":2}', {"a": "1"}, id="a missing comma"),
        pytest.param('{"a":1,"a":2}', {"a": "1"}, id="the first of two"),
        pytest.param("[1]", {}, id="an array has no names"),
        pytest.param('"hello"', {"content": "hello"}, id="a string is an argument called content"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_json(text: str, expected: dict[str, str]) -> None:
    """Broken JSON is never an error."""
    assert read("", JSON, text.encode()).arguments == expected


def test_a_content_type_is_found_anywhere_and_in_any_case() -> None:
    """It is a substring match."""
    assert read("", "x APPLICATION/JSON; charset=utf-8", b'{"a":1}').arguments == {"a": "1"}


@pytest.mark.parametrize("content_type", ["", "text/plain"])
def test_other_bodies_are_not_read(content_type: str) -> None:
    """Without a known type a body has no arguments."""
    assert read("b=2", content_type, b"a=1").arguments == {"b": "2"}


def test_multipart_tells_arguments_from_files() -> None:
    """Parts with a filename are files; of those the size is kept."""
    body = part("a", "1\n2 \u0416") + part("certificate", "PEM", "cert.pem") + b"--xx--\r\n"
    found = read("", MULTIPART, body)

    assert found.arguments == {"a": "1\n2 \u0416"}
    assert found.files == {"certificate": 3}


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        pytest.param("multipart/form-data", part("a", "1") + b"--xx--\r\n", 400, id="no boundary"),
        pytest.param(MULTIPART, b"rubbish", 400, id="no part"),
        pytest.param(MULTIPART, part("a", "1"), 400, id="no end"),
        pytest.param(MULTIPART, b"--xx\r\n\r\n1\r\n--xx--\r\n", 400, id="a part without a name"),
        pytest.param(FORM, b"a=" + b"1" * (1 << 20), 413, id="a form beyond 1 MiB"),
        pytest.param(
            MULTIPART, part("a", "1" * (1 << 20) + "1") + b"--xx--\r\n", 413, id="parts beyond 1 MiB"
        ),
    ],
)
def test_unreadable_bodies(content_type: str, body: bytes, status: int) -> None:
    """A body that cannot be read is a bare HTTP error."""
    with pytest.raises(UnreadableError) as refused:
        read("", content_type, body)

    assert refused.value.status == status


def test_more_than_50_files_are_too_many() -> None:
    """The 51st is one too many."""
    body = b"".join(part(f"f{n}", "x", "x") for n in range(arguments.MOST_FILES + 1)) + b"--xx--\r\n"

    with pytest.raises(UnreadableError) as refused:
        read("", MULTIPART, body)

    assert refused.value.status == 413
