"""How values of parameters are read."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi.kinds import DEFAULT_KINDS
from onepoller.testing.botapi.parameters import allowed_updates, clamped, integer, integer_argument, is_true


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-1", -1),
        ("abc", 0),
        ("null", 0),
        (" 5", 0),
        ("+5", 0),
        ("-", 0),
        ("--5", 0),
        ("5abc", 5),
        ("5.9", 5),
        ("007", 7),
        ("4294967295", -1),
        ("4294967296", 0),
        ("2147483648", -2147483648),
        ("-2147483649", 2147483647),
        ("1" + "0" * 5000, 0),
        ("\u0665", 0),
    ],
)
def test_integers_are_read_leniently(text: str, value: int) -> None:
    """A minus, digits, the rest ignored; overflow wraps around in 32 bits."""
    assert integer(text) == value


@pytest.mark.parametrize("arguments", [{}, {"limit": ""}], ids=["missing", "empty"])
def test_missing_and_empty_integers_are_the_default(arguments: dict[str, str]) -> None:
    """Neither is zero."""
    assert integer_argument(arguments, "limit", 100) == 100


@pytest.mark.parametrize(
    ("text", "value"), [("0", 1), ("abc", 1), ("1000", 100), ("-5", 1), ("50", 50), ("", 100)]
)
def test_limit_is_clamped(text: str, value: int) -> None:
    """Out of range is moved to the nearest end."""
    assert clamped({"limit": text}, "limit", 100, low=1, high=100) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        (" TRUE ", True),
        ("Yes", True),
        ("1", True),
        ("false", False),
        ("on", False),
        ("11", False),
        ("", False),
    ],
)
def test_booleans(text: str, *, value: bool) -> None:
    """true, yes and 1, trimmed, in any case."""
    assert is_true({"x": text}, "x") is value


@pytest.mark.parametrize(
    "text", ["", "message", "{}", '"message"', '["message", 1]', "[", "[" * 100_000, "null"]
)
def test_an_unusable_filter_is_ignored(text: str) -> None:
    """Anything but an array of strings leaves the setting alone."""
    assert allowed_updates({"allowed_updates": text}) is None


def test_a_missing_filter_is_ignored() -> None:
    """The setting stays."""
    assert allowed_updates({}) is None


@pytest.mark.parametrize("text", ["[]", '["nonsense"]'], ids=["empty", "unknown names only"])
def test_an_empty_filter_is_the_default(text: str) -> None:
    """The default types, not no types."""
    assert allowed_updates({"allowed_updates": text}) == DEFAULT_KINDS


def test_a_filter_is_case_insensitive_and_ignores_unknown_names() -> None:
    """Names are lower-cased before they are compared."""
    text = '["MESSAGE", "nonsense", "chat_Member"]'

    assert allowed_updates({"allowed_updates": text}) == frozenset({"message", "chat_member"})


def test_the_default_leaves_out_three_types() -> None:
    """Members and reactions have to be asked for."""
    assert {"chat_member", "message_reaction", "message_reaction_count"}.isdisjoint(DEFAULT_KINDS)
    assert len(DEFAULT_KINDS) == 24
