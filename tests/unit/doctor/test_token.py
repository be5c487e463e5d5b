"""What a text must be to be a token: the objection says what is wrong, and shows none of it."""

from __future__ import annotations

import pytest

from onepoller.cli.doctor.token import objection


def test_a_token_has_no_objection(canary: str) -> None:
    """Digits, a colon, a secret."""
    assert objection(canary) == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (" ", "", "there is white space around it"),
        ("", "\n", "there is white space around it"),
        ('"', '"', "there are quotes around it"),
        ("bot", "", "it begins with 'bot', which belongs to the URL"),
        ("x", "", "what stands before the colon is not the number of a bot"),
        ("0", "", "what stands before the colon is not the number of a bot"),
        ("", "/getMe", "what follows the colon is no secret of a bot"),
        ("", "x" * 80, "what follows the colon is no secret of a bot"),
    ],
)
def test_what_is_added_to_a_token_is_named(canary: str, before: str, after: str, said: str) -> None:
    """People copy too much."""
    assert objection(before + canary + after) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("my_bot", "there is no colon in it"),
        ("123456789:AAH", "only 3 characters follow the colon, and a token has about 35 there"),
    ],
)
def test_half_a_token_is_named(text: str, said: str) -> None:
    """Or too little."""
    assert objection(text) == said
