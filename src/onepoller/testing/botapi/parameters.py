"""How the server reads the values of parameters: leniently, and never with an error.

A value is text. An integer is an optional minus and the digits that follow it; the rest is ignored.
"""

import json
import re
from collections.abc import Mapping

from onepoller.testing.botapi.kinds import DEFAULT_KINDS, KINDS

Arguments = Mapping[str, str]

_INTEGER = re.compile(r"(-?)([0-9]*)")
_WORD = 1 << 32
_SIGN = 1 << 31
_ZERO = ord("0")
_TRUE = frozenset({"true", "yes", "1"})


def integer(text: str) -> int:
    """Read an int32: no trimming, no plus sign, "5abc" is 5, "abc" is 0, overflow wraps around."""
    found = _INTEGER.match(text)
    assert found is not None  # both groups may be empty, so it always matches
    value = 0
    for digit in found[2]:  # not int(): it refuses numbers of more than 4300 digits
        value = (value * 10 + ord(digit) - _ZERO) % _WORD
    return ((-value if found[1] else value) + _SIGN) % _WORD - _SIGN


def integer_argument(arguments: Arguments, name: str, default: int) -> int:
    """Read an int32 argument; missing and empty give the default."""
    text = arguments.get(name)
    return integer(text) if text else default


def clamped(arguments: Arguments, name: str, default: int, *, low: int, high: int) -> int:
    """Read an int32 argument and move it into a range."""
    return min(max(integer_argument(arguments, name, default), low), high)


def is_true(arguments: Arguments, name: str) -> bool:
    """Read a boolean: true, yes and 1, trimmed, in any case; everything else is false."""
    return arguments.get(name, "").strip().lower() in _TRUE


def allowed_updates(arguments: Arguments) -> frozenset[str] | None:
    """Read `allowed_updates`; None means that the setting before it stays.

    An empty array, or one with unknown names only, gives the default types.
    """
    text = arguments.get("allowed_updates", "")
    if not text:
        return None
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    known = frozenset(name.lower() for name in names) & KINDS.keys()
    return known or DEFAULT_KINDS
