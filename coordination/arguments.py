"""The parameters of a Bot API request, read as the published server reads them. Pure.

The query string comes first, then the body, and of two parameters with one name the first wins: a parameter
that is put into the query therefore replaces the one in the body. Integers are read leniently, never with an
error (facts: server semantics, section 8). A body of broken JSON, from which the server takes what it could
read, counts here as no body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from onepoller.coordination.wire import Request

LONGEST_TIMEOUT = 50
MOST_UPDATES = 100
_INTEGER = re.compile(r"(-?)0*([0-9]{0,4300})")
_WORD = 1 << 32
_SIGN = 1 << 31
_TRUE = frozenset({"true", "yes", "1"})


def arguments_of(query: str, content_type: str, body: bytes) -> dict[str, str]:
    """All parameters of a request as text."""
    found = _form(query)
    kind = content_type.lower()
    if not body:
        return found
    if "multipart/form-data" in kind:
        return _multipart(content_type, body) | found
    text = body.decode("utf-8", "replace")
    if "application/x-www-form-urlencoded" in kind:
        return _form(text) | found
    if "application/json" in kind:
        return _json(text) | found
    return found


def integer(value: object) -> int:
    """Read an int32: no trimming, no plus sign, "5abc" is 5, "abc" is 0, overflow wraps around."""
    if type(value) is not int:
        if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdecimal():
            return int(value)
        found = _INTEGER.match(value if isinstance(value, str) else str(value))
        assert found is not None  # every part may be empty
        value = int(found[1] + (found[2] or "0"))
    return (value + _SIGN) % _WORD - _SIGN


def is_true(value: object) -> bool:
    """Read a boolean: true, yes and 1, trimmed, in any case; everything else is false."""
    return str(value).strip().lower() in _TRUE


def request_of(arguments: Mapping[str, Any]) -> Request:
    """The getUpdates that these parameters make; `allowed_updates` is left where it is: no guard needs it."""
    offset, limit, timeout = arguments.get("offset"), arguments.get("limit"), arguments.get("timeout")
    seconds = integer(timeout) if timeout else 0
    return Request(
        offset=integer(offset) if offset else 0,
        limit=None if limit is None or limit == "" else min(max(integer(limit), 1), MOST_UPDATES),
        timeout=0.0 if seconds < 0 else float(min(seconds, LONGEST_TIMEOUT)),
    )


def changed_arguments(asked: Request, wanted: Request) -> dict[str, int]:
    """What to put into the query so that the server sees `wanted` where the caller asked for `asked`."""
    changed: dict[str, int] = {}
    if wanted.offset != asked.offset:
        changed["offset"] = wanted.offset
    if wanted.limit != asked.limit and wanted.limit is not None:
        changed["limit"] = wanted.limit
    if wanted.timeout != asked.timeout:
        changed["timeout"] = int(wanted.timeout)
    return changed


def _form(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace") if text else ():
        found.setdefault(name, value)
    return found


def _json(text: str) -> dict[str, str]:
    try:
        body = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    return {name: value if isinstance(value, str) else _text(value) for name, value in body.items()}


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


_DECODER = json.JSONDecoder(object_pairs_hook=_first)


def _text(value: Any) -> str:
    return str(value) if type(value) is int else json.dumps(value)


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    found: dict[str, str] = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes) and part.get_filename() is None:
            found.setdefault(name, content.decode("utf-8", "replace"))
    return found
