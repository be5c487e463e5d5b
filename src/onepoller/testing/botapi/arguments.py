"""How the arguments of a request are read from its query string and its body. Pure.

GET and POST are the same: the query string comes first, then the body, and of two arguments with one name
the first wins. A JSON body may hold values of any type: text is decoded, everything else is kept as its
JSON text. Broken JSON is no error: what was read so far counts.
"""

import json
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from json.decoder import WHITESPACE  # type: ignore[attr-defined]  # not in the stubs, public in the module
from urllib.parse import parse_qsl

MOST_PARAMETER_BYTES = 1 << 20
MOST_FILES = 50

_decoder = json.JSONDecoder()


class UnreadableError(Exception):
    """A body that ends the request with a bare HTTP error."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Parameters:
    """What was read so far: arguments, and the sizes of the files."""

    arguments: dict[str, str] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


def read(query: str, content_type: str, body: bytes) -> Parameters:
    """Read all arguments of a request.

    Raises:
        UnreadableError: a broken multipart body, or too much of anything.

    """
    found = Parameters()
    if query:
        _read_form(query, found)
    if not body:
        return found
    kind = content_type.lower()
    if "multipart/form-data" in kind:
        _read_multipart(content_type, body, found)
    elif "application/x-www-form-urlencoded" in kind or "application/json" in kind:
        if len(body) > MOST_PARAMETER_BYTES:
            raise UnreadableError(413)
        text = body.decode("utf-8", "replace")
        if "json" in kind:
            _read_json(text, found)
        else:
            _read_form(text, found)
    return found


def _read_form(text: str, found: Parameters) -> None:
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        found.arguments.setdefault(name, value)


def _read_json(text: str, found: Parameters) -> None:
    try:
        at = _past_space(text, 0)
        if text.startswith('"', at):
            found.arguments.setdefault("content", str(_decoder.raw_decode(text, at)[0]))
        elif text.startswith("{", at):
            _read_object(text, at + 1, found)
    except (ValueError, RecursionError):
        return


def _read_object(text: str, at: int, found: Parameters) -> None:
    at = _past_space(text, at)
    while text.startswith('"', at):
        name, at = _decoder.raw_decode(text, at)
        at = _past_space(text, at)
        if not text.startswith(":", at):
            return
        start = _past_space(text, at + 1)
        value, at = _decoder.raw_decode(text, start)
        found.arguments.setdefault(name, value if isinstance(value, str) else text[start:at])
        at = _past_space(text, at)
        if not text.startswith(",", at):
            return
        at = _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    end: int = WHITESPACE.match(text, at).end()
    return end


def _read_multipart(content_type: str, body: bytes, found: Parameters) -> None:
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart() or message.defects:
        raise UnreadableError(400)
    size = 0
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise UnreadableError(400)
        if part.get_filename() is not None:
            found.files.setdefault(name, len(content))
        else:
            size += len(content)
            found.arguments.setdefault(name, content.decode("utf-8", "replace"))
    if size > MOST_PARAMETER_BYTES or len(found.files) > MOST_FILES:
        raise UnreadableError(413)
