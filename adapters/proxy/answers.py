"""What this proxy answers by itself, as the Bot API would: a JSON object, or no body at all.

Nothing of the request is repeated: no answer holds a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from onepoller.coordination.reply import EMPTY_BODY

_JSON_HEADERS = {"Content-Type": "application/json"}


class Unreadable(Exception):
    """A request that is refused before anybody knows what it asks. `status` is all there is to say."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def nothing() -> web.Response:
    """No updates."""
    return content(200, EMPTY_BODY)


def content(status: int, body: bytes, headers: Mapping[str, str] = _JSON_HEADERS) -> web.Response:
    """An answer that is written already."""
    return web.Response(status=status, body=body, headers=headers)


def error(status: int, description: str) -> web.Response:
    """An error as the Bot API words it."""
    body = {"ok": False, "error_code": status, "description": description}
    return content(status, json.dumps(body, separators=(",", ":")).encode())


def not_found() -> web.Response:
    """Telegram's own answer to a path that leads nowhere."""
    return error(404, "Not Found")


def method_not_found() -> web.Response:
    """Telegram's own answer to a method that there is not."""
    return error(404, "Not Found: method not found")


def bad_gateway() -> web.Response:
    """The Bot API cannot be reached; frameworks try again."""
    return error(502, "Bad Gateway: onepoller cannot reach the Bot API")


def no_room() -> web.Response:
    """One client too many; its connection is closed."""
    answer = error(503, "Service Unavailable: onepoller has no room for more clients")
    answer.force_close()
    return answer


def bare(status: int) -> web.Response:
    """A status without a body, and the end of the connection, as for a request that cannot be read."""
    answer = web.Response(status=status)
    answer.force_close()
    return answer
