"""Answers, byte for byte."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import replies


@pytest.mark.parametrize(
    ("reply", "length", "body"),
    [
        (replies.EMPTY, 23, b'{"ok":true,"result":[]}'),
        (replies.CONFLICTS["G"], 143, None),
        (replies.CONFLICTS["W"], 154, None),
        (replies.CONFLICTS["S"], 88, None),
        (replies.CONFLICTS["S2"], 86, None),
        (replies.UNAUTHORIZED, 58, b'{"ok":false,"error_code":401,"description":"Unauthorized"}'),
        (replies.INVALID_TOKEN, 83, None),
        (replies.MISDIRECTED, 92, None),
        (replies.NOT_FOUND, 55, None),
        (replies.METHOD_NOT_FOUND, 73, None),
        (replies.retry_after(5), 109, None),
        (replies.RESTART, 76, None),
        (replies.LOGGED_OUT, 56, None),
        (
            replies.result(value=True, description="Webhook was set"),
            57,
            b'{"ok":true,"result":true,"description":"Webhook was set"}',
        ),
    ],
)
def test_bodies_have_the_server_s_length(reply: replies.Reply, length: int, body: bytes | None) -> None:
    """Lengths as measured from the published server; a few bodies in full."""
    assert len(reply.body) == length
    assert body is None or reply.body == body


def test_conflict_text() -> None:
    """The text that clients match on, in full."""
    assert replies.CONFLICTS["G"].body == (
        b'{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request;'
        b' make sure that only one bot instance is running"}'
    )


def test_wire_order_and_casing() -> None:
    """Exactly three headers, in this order."""
    assert replies.wire(replies.EMPTY) == (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
        b'Content-Length: 23\r\n\r\n{"ok":true,"result":[]}'
    )


def test_wire_of_429_has_retry_after_before_the_length() -> None:
    """The one header that comes and goes."""
    head = replies.wire(replies.retry_after(5)).partition(b"\r\n\r\n")[0]

    assert head == (
        b"HTTP/1.1 429 Too Many Requests\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
        b"Retry-After: 5\r\nContent-Length: 109"
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "Bad Request"),
        (413, "Request Entity Too Large"),
        (431, "Request Header Fields Too Large"),
        (501, "Not Implemented"),
        (505, "HTTP Version Not Supported"),
    ],
)
def test_bare_errors_have_no_body(status: int, reason: str) -> None:
    """A status line and a length of zero."""
    assert replies.bare(status) == f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n\r\n".encode()


def test_json_is_compact_and_ascii() -> None:
    """Lower-case escapes, surrogate pairs, slashes and quotes as the server writes them."""
    written = replies.dumps({"a": "x/'\"\\\n\u0416\U0001f600"})

    assert written == '{"a":"x/\'\\"\\\\\\n\\u0416\\ud83d\\ude00"}'
