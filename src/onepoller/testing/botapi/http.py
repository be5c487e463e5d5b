"""HTTP requests read from bytes, through h11; no socket, no clock.

One `Reader` per connection. It gives a whole request or says that more bytes are needed; what follows the
request waits until `next_request` is called. h11 also wants a Host header from HTTP/1.1 clients, which the
server does not.
"""

import zlib
from dataclasses import dataclass, field

import h11

from onepoller.testing.botapi.arguments import UnreadableError

MOST_HEADER_BYTES = 256 << 10
MOST_BODY_BYTES = 64 << 20  # the server takes larger files; nothing here needs them
METHODS = frozenset({b"GET", b"POST"})
VERSIONS = frozenset({b"1.0", b"1.1"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Its target holds a token, so it is in no `repr`."""

    method: str
    target: str = field(repr=False)
    content_type: str
    poller: str
    body: bytes = field(repr=False)


class Reader:
    """The requests of one connection."""

    def __init__(self) -> None:
        self._parser = _parser()
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._later = b""

    @property
    def has_begun(self) -> bool:
        """Whether a request is there in part."""
        return self._head is not None or bool(self._parser.trailing_data[0])

    def feed(self, data: bytes) -> Request | None:
        """Take bytes in. Gives the request that they complete.

        Raises:
            UnreadableError: the request is to be refused without a body, and the connection closed.

        """
        self._parser.receive_data(data)
        try:
            while True:
                event = self._parser.next_event()
                if isinstance(event, h11.Request):
                    _check(event)
                    self._head = event
                elif isinstance(event, h11.Data):
                    self._size += len(event.data)
                    if self._size > MOST_BODY_BYTES:
                        raise UnreadableError(413)
                    self._body.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    return self._complete()
                else:
                    return None
        except h11.RemoteProtocolError as error:
            raise UnreadableError(error.error_status_hint) from error

    @property
    def kept(self) -> int:
        """How many bytes wait behind the last request."""
        return len(self._later)

    def keep(self, data: bytes) -> None:
        """Take bytes in that belong to later requests."""
        self._later += data

    def next_request(self) -> Request | None:
        """Read on in what came behind the last request."""
        later, self._later = self._later, b""
        return self.feed(later) if later else None

    def _complete(self) -> Request:
        assert self._head is not None  # h11 ends no message that it has not begun
        headers = {bytes(name): bytes(value) for name, value in reversed(self._head.headers)}
        request = Request(
            method=self._head.method.decode("latin-1"),
            target=self._head.target.decode("latin-1"),
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            poller=headers.get(b"x-poller", b"").decode("utf-8", "replace"),
            body=_unpacked(b"".join(self._body), headers.get(b"content-encoding", b"").lower().strip()),
        )
        # A parser for each request: the answer is written without h11, which would have to be told of it.
        self._later = self._parser.trailing_data[0] + self._later
        self._parser = _parser()
        self._head = None
        self._body = []
        self._size = 0
        return request


def _parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEADER_BYTES)


def _check(head: h11.Request) -> None:
    if head.method not in METHODS:
        raise UnreadableError(501)
    if head.http_version not in VERSIONS:
        raise UnreadableError(505)
    for name, value in head.headers:
        if name == b"content-encoding" and value.lower().strip() not in {
            b"",
            b"identity",
            b"gzip",
            b"deflate",
        }:
            raise UnreadableError(415)


def _unpacked(body: bytes, encoding: bytes) -> bytes:
    if encoding not in {b"gzip", b"deflate"} or not body:
        return body
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        content = unpacker.decompress(body, MOST_BODY_BYTES)
    except zlib.error as error:
        raise UnreadableError(400) from error
    if unpacker.unconsumed_tail:
        raise UnreadableError(413)
    if not unpacker.eof:
        raise UnreadableError(400)
    return content
