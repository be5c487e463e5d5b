"""Reading a Bot API reply, and writing the one that says "no updates"."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from onepoller.coordination.wire import Delivered, Refused

EMPTY_BODY = b'{"ok":true,"result":[]}'
"""What the server answers where there are no updates, byte for byte."""
_BATCH = b'{"ok":true,"result":[{"update_id":'
_ID = b'{"update_id":'
_UPDATE_ID = re.compile(rb'\{"update_id":(\d+)')


def outcome_of(status: int, body: Mapping[str, Any] | None, reply: Any) -> Delivered | Refused:
    """The outcome of a getUpdates from its HTTP status and decoded body (None: it was no JSON object).

    A 200 without a list of updates counts as an error of the server: it is handed on as it is.
    """
    body = body or {}
    result = body.get("result")
    if status // 100 == 2 and body.get("ok") and isinstance(result, list):
        ids = tuple(
            u["update_id"] for u in result if isinstance(u, dict) and isinstance(u.get("update_id"), int)
        )
        return Delivered(update_ids=ids, reply=reply)
    code = body.get("error_code")
    parameters = body.get("parameters")
    retry_after = parameters.get("retry_after", 0) if isinstance(parameters, dict) else 0
    return Refused(
        status=code if isinstance(code, int) else status,
        text=str(body.get("description", "")),
        reply=reply,
        retry_after=float(retry_after) if isinstance(retry_after, int | float) else 0.0,
    )


def outcome_of_content(status: int, content: bytes, reply: Any) -> Delivered | Refused:
    """The outcome of a getUpdates from its HTTP status and body."""
    if status == 200:
        if content == EMPTY_BODY:
            return Delivered(update_ids=(), reply=reply)  # what nearly every poll brings
        if content.startswith(_BATCH) and content.endswith(b"}]}"):
            # The server's own spelling of a batch, of which the ids are enough: to decode 100 messages takes
            # six times as long. No other object of the Bot API has an `update_id`, and inside a string the
            # quotes would be escaped.
            return Delivered(update_ids=_ids_in(content), reply=reply)
    return outcome_of(status, decoded(content), reply)


def _ids_in(content: bytes) -> Sequence[int]:
    """The ids of a batch. They ascend: where as many lie between the first and the last, these are all."""
    first = _UPDATE_ID.search(content)
    last = _UPDATE_ID.match(content, content.rfind(_ID))
    if first is not None and last is not None:
        ids = range(int(first[1]), int(last[1]) + 1)
        # The server begins a new line behind each `update_id`, and nowhere else (facts: server semantics,
        # section 7). `replace` looks for them with memchr: `count` takes six times as long.
        if len(ids) == len(content) - len(content.replace(b"\n", b"")):
            return ids
    return tuple(map(int, _UPDATE_ID.findall(content)))


def decoded(content: bytes) -> dict[str, Any] | None:
    """A body as a JSON object, or None where it is none."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def result_of(status: int, content: bytes) -> dict[str, Any]:
    """The `result` object of a read-only method; raises RuntimeError where it failed."""
    body = decoded(content) or {}
    result = body.get("result")
    if status // 100 != 2 or not isinstance(result, dict):
        raise RuntimeError(f"the Bot API answered {status} {body.get('description', '')!r}")
    return result
