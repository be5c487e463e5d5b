"""What targets mean."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import replies
from onepoller.testing.botapi.paths import Path, parse


def path(token: str, method: str, *, is_test: bool = False, poller: str = "", query: str = "") -> Path:
    """Give a path."""
    return Path(token=token, method=method, is_test=is_test, poller=poller, query=query)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/bot1:x/getMe", path("1:x", "getMe")),
        ("/bot1:x/getMe?a=1&b=%2F", path("1:x", "getMe", query="a=1&b=%2F")),
        ("/bot1:x/test/getMe", path("1:x", "getMe", is_test=True)),
        ("/bot1:x/", path("1:x", "")),
        ("/bot1%3Ax/get%4De", path("1:x", "getMe")),
        ("/bot1:x+y/getMe", path("1:x+y", "getMe")),
        ("/_as/ours/bot1:x/getMe", path("1:x", "getMe", poller="ours")),
    ],
)
def test_paths_of_methods(target: str, expected: Path) -> None:
    """Token, method and name are found, percent-decoded, with plus signs kept."""
    assert parse(target) == expected


@pytest.mark.parametrize(
    "target", ["/", "/x", "/Bot1:x/getMe", "/bot1:x", "/file/bot1:x/y", "*", "/_as/ours/x"]
)
def test_other_paths_lead_nowhere(target: str) -> None:
    """The prefix is case-sensitive and the slash behind the token is needed."""
    assert parse(target) == replies.NOT_FOUND


def test_an_absolute_target_is_refused_with_a_reason() -> None:
    """It has a text of its own."""
    assert parse("http://x/bot1:x/getMe") == replies.ABSOLUTE_URI


def test_no_path_shows_its_token() -> None:
    """Nor its query, which may hold anything."""
    assert "SECRET" not in repr(parse("/bot1:SECRET/getMe?x=SECRET"))
