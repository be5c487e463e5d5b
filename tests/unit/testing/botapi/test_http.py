"""Requests read from bytes."""

from __future__ import annotations

import gzip
import zlib

import pytest

from onepoller.testing.botapi import http
from onepoller.testing.botapi.arguments import UnreadableError
from onepoller.testing.botapi.http import Reader

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    """Give a POST with a body."""
    lines = [b"POST /x HTTP/1.1", b"Host: h", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def status_of(raw: bytes) -> int:
    """Give the status with which a request is refused."""
    with pytest.raises(UnreadableError) as refused:
        Reader().feed(raw)
    return refused.value.status


def test_a_request_in_pieces_is_put_together() -> None:
    """Nothing is given until the last byte is there."""
    reader = Reader()
    raw = post(b"a=1", b"Content-Type: text/x", b"X-Poller: ours")
    pieces = [reader.feed(raw[n : n + 1]) for n in range(len(raw))]

    assert pieces[:-1] == [None] * (len(raw) - 1)
    assert pieces[-1] == http.Request(
        method="POST", target="/x", content_type="text/x", poller="ours", body=b"a=1"
    )


def test_a_body_on_get_is_read() -> None:
    """GET and POST are the same."""
    request = Reader().feed(post(b"a=1").replace(b"POST", b"GET"))

    assert request is not None
    assert (request.method, request.body) == ("GET", b"a=1")


def test_chunks_are_joined() -> None:
    """Transfer-Encoding: chunked is understood."""
    raw = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na=\r\n1\r\n1\r\n0\r\n\r\n"
    request = Reader().feed(raw)

    assert request is not None
    assert request.body == b"a=1"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", gzip.compress(b"a=1", mtime=0)),
        (b"deflate", zlib.compress(b"a=1")),
        (b"identity", b"a=1"),
        (b"GZIP", gzip.compress(b"a=1", mtime=0)),
    ],
)
def test_packed_bodies_are_unpacked(encoding: bytes, packed: bytes) -> None:
    """Gzip and deflate are understood."""
    request = Reader().feed(post(packed, b"Content-Encoding: " + encoding))

    assert request is not None
    assert request.body == b"a=1"


def test_requests_behind_each_other_are_read_one_by_one() -> None:
    """The next one waits until it is asked for."""
    reader = Reader()
    first = reader.feed(GET + GET.replace(b"/x", b"/y"))
    reader.keep(GET.replace(b"/x", b"/z"))
    second, third = reader.next_request(), reader.next_request()

    assert [request and request.target for request in (first, second, third)] == ["/x", "/y", "/z"]
    assert reader.next_request() is None


def test_a_begun_request_is_known() -> None:
    """Half a request is told from none."""
    reader = Reader()
    before = reader.has_begun
    reader.feed(GET[:10])

    assert (before, reader.has_begun) == (False, True)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"rubbish\r\n\r\n", 400, id="no request line"),
        pytest.param(GET.replace(b"GET", b"PUT"), 501, id="another method"),
        pytest.param(GET.replace(b"1.1", b"2.0"), 505, id="another version"),
        pytest.param(post(b"x", b"Content-Encoding: br"), 415, id="another encoding"),
        pytest.param(post(b"rubbish" * 9, b"Content-Encoding: gzip"), 400, id="a broken packed body"),
        pytest.param(post(gzip.compress(b"x")[:-3], b"Content-Encoding: gzip"), 400, id="a cut packed body"),
        pytest.param(GET[:-2] + b"X: " + b"x" * (256 << 10), 431, id="headers beyond 256 KiB"),
        pytest.param(GET[:-2] + b"Transfer-Encoding: gzip\r\n\r\n", 501, id="another transfer encoding"),
    ],
)
def test_unreadable_requests(raw: bytes, status: int) -> None:
    """Each has its status."""
    assert status_of(raw) == status


def test_a_body_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what a packed one unpacks to."""
    monkeypatch.setattr(http, "MOST_BODY_BYTES", 10)

    assert status_of(post(b"x" * 11)) == 413
    assert status_of(post(gzip.compress(b"x" * 11)[:10], b"Content-Encoding: gzip")) == 400
    monkeypatch.setattr(http, "MOST_BODY_BYTES", 100)
    assert status_of(post(gzip.compress(b"x" * 1000), b"Content-Encoding: gzip")) == 413


def test_no_request_shows_its_target() -> None:
    """The target holds a token."""
    request = Reader().feed(GET.replace(b"/x", b"/bot1:SECRET/getMe"))

    assert "SECRET" not in repr(request)
