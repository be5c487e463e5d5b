"""Which tokens are let through."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import replies
from onepoller.testing.botapi.tokens import bot_id_of, refusal, secret_refusal


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("123:abc", None),
        ("0123:abc", replies.INVALID_TOKEN),
        ("1:" + "a" * 79, replies.INVALID_TOKEN),
        ("1:a/b", replies.INVALID_TOKEN),
        ("123", replies.INVALID_TOKEN),
        ("abc:abc", replies.MISDIRECTED),
        (":abc", replies.MISDIRECTED),
        ("12a:abc", replies.MISDIRECTED),
        ("-1:abc", replies.INVALID_TOKEN),
        (f"{1 << 54}:abc", replies.INVALID_TOKEN),
        (f"{(1 << 54) - 1}:abc", None),
    ],
)
def test_the_manager_s_checks(token: str, expected: replies.Reply | None) -> None:
    """In the server's order: shape, number, range."""
    assert refusal(token) == expected


@pytest.mark.parametrize(
    ("secret", "is_good"),
    [("A" * 35, True), ("A" * 24, True), ("A" * 23, False), ("A" * 34 + "!", False), ("-_" * 12, True)],
)
def test_the_secret_is_24_or_more_of_base64url(secret: str, *, is_good: bool) -> None:
    """Anything else is an unauthorised token."""
    assert secret_refusal(f"1:{secret}") == (None if is_good else replies.UNAUTHORIZED)


@pytest.mark.parametrize(("token", "bot_id"), [("123:abc", 123), ("abc:abc", None), ("123", None)])
def test_bot_ids(token: str, bot_id: int | None) -> None:
    """The number before the colon."""
    assert bot_id_of(token) == bot_id
