"""The answers of the Bot API server, byte for byte.

Status line, header names, their order and casing, and every error text are those of the published server
(telegram-bot-api 10.0). The front end of api.telegram.org adds headers (Date, Server) that this does not.
"""

import json
from dataclasses import dataclass
from enum import Enum, unique

JSON = "application/json"
HTML = "text/html"

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer: its status, its body, and the two headers that vary."""

    status: int
    body: bytes
    retry_after: int | None = None
    content_type: str = JSON


@unique
class Cut(Enum):
    """An answer that never comes, or not to its end: only faults make one."""

    CLOSE = "close"  # FIN, no byte of an answer
    SHORT = "short"  # FIN, before the body is as long as its head has declared
    RESET = "reset"  # RST
    HANG = "hang"  # the connection stays open, for ever


def dumps(value: object) -> str:
    """Write compact JSON as the server does: no spaces, non-ASCII as lower-case escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def result(value: object, *, description: str = "") -> Reply:
    """Answer 200 with a result, and with a description where the server gives one."""
    return raw_result(dumps(value), description=description)


def raw_result(text: str, *, description: str = "") -> Reply:
    """Answer 200 with a result that is JSON text already."""
    tail = f',"description":{dumps(description)}' if description else ""
    return Reply(status=200, body=f'{{"ok":true,"result":{text}{tail}}}'.encode())


def error(status: int, description: str) -> Reply:
    """Answer an error; the HTTP status always equals `error_code`."""
    body = f'{{"ok":false,"error_code":{status},"description":{dumps(description)}}}'
    return Reply(status=status, body=body.encode())


def retry_after(seconds: int) -> Reply:
    """Answer 429 with its `parameters` and its header."""
    text = dumps(f"Too Many Requests: retry after {seconds}")
    body = f'{{"ok":false,"error_code":429,"description":{text},"parameters":{{"retry_after":{seconds}}}}}'
    return Reply(status=429, body=body.encode(), retry_after=seconds)


def wire(reply: Reply) -> bytes:
    """Give the bytes that go over the socket."""
    again = "" if reply.retry_after is None else f"Retry-After: {reply.retry_after}\r\n"
    head = (
        f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}\r\nConnection: keep-alive\r\n"
        f"Content-Type: {reply.content_type}\r\n{again}Content-Length: {len(reply.body)}\r\n\r\n"
    )
    return head.encode("latin-1") + reply.body


def wire_short(reply: Reply) -> bytes:
    """Give the bytes of an answer that breaks off in its body."""
    return wire(reply)[: -len(reply.body) // 2]


def bare(status: int) -> bytes:
    """Give the answer to a request that could not be read: no body; the connection is closed after it."""
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\nContent-Length: 0\r\n\r\n".encode(
        "latin-1"
    )


EMPTY = Reply(status=200, body=b'{"ok":true,"result":[]}')
TRUE = result(value=True)

CONFLICTS = {
    "G": error(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    ),
    "W": error(
        409,
        "Conflict: can't use getUpdates method while webhook is active;"
        " use deleteWebhook to delete the webhook first",
    ),
    "S": error(409, "Conflict: terminated by setWebhook request"),
    "S2": error(409, "Conflict: terminated by other setWebhook"),
}

UNAUTHORIZED = error(401, "Unauthorized")
INVALID_TOKEN = error(401, "Unauthorized: invalid token specified")
MISDIRECTED = error(421, "Misdirected Request: unallowed token specified")
NOT_FOUND = error(404, "Not Found")
ABSOLUTE_URI = error(404, "Not Found: absolute URI is specified in the Request-Line")
METHOD_NOT_FOUND = error(404, "Not Found: method not found")
RESTART = error(500, "Internal Server Error: restart")
LOGGED_OUT = error(400, "Logged out")
ALREADY_CLOSED = error(400, "Bad Request: the bot has already been closed")
