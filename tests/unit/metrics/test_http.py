"""The metrics port, over real sockets on loopback."""

from __future__ import annotations

import gzip
import http.client
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from onepoller.coordination.errors import SettingsError
from onepoller.metrics import Ledger, MetricsServer
from onepoller.metrics.http import parse_address


@pytest.fixture
def server(ledger: Ledger) -> Iterator[MetricsServer]:
    """Give a server on a free port, started."""

    def status() -> dict[str, object]:
        raise LookupError

    server = MetricsServer(ledger, address="127.0.0.1:0", status=status)
    server.start()
    yield server
    server.close()


def ask(
    url: str | None, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """Make one request on a connection of its own."""
    assert url is not None
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request(method, path, headers={"Connection": "close", **(headers or {})})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9409", ("127.0.0.1", 9409)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    """IPv6 in brackets."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "9409", ":9409", "host", "host:x", "host:65536", "::1:80"])
def test_a_wrong_address_is_told_at_once(ledger: Ledger, text: str) -> None:
    """In the constructor, not when a bot runs already."""
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1:9409"):
        MetricsServer(ledger, address=text)


def test_a_scrape_is_answered(server: MetricsServer) -> None:
    """With the right type and length, and no cache in between."""
    response, body = ask(server.url, "/metrics")

    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert int(response.headers["Content-Length"]) == len(body)
    assert b"\nonepoller_store_trouble 0\n" in body


@pytest.mark.parametrize(
    ("offered", "is_zipped"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.8", True),
        ("GZIP;q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
        ("identity", False),
    ],
)
def test_a_scrape_is_compressed_where_it_may_be(
    server: MetricsServer, offered: str, *, is_zipped: bool
) -> None:
    """Prometheus offers gzip."""
    response, body = ask(server.url, "/metrics", headers={"Accept-Encoding": offered})

    assert (response.headers["Content-Encoding"] == "gzip") is is_zipped
    assert b"onepoller_polls_total" in (gzip.decompress(body) if is_zipped else body)


def test_head_has_the_headers_and_no_body(server: MetricsServer) -> None:
    """Some probes use it."""
    response, body = ask(server.url, "/healthz", method="HEAD")

    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_refused(server: MetricsServer, method: str) -> None:
    """Nothing can be changed here; the answer says what can be done."""
    response, _ = ask(server.url, "/metrics", method=method)

    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_a_page_that_fails_is_a_500_and_a_warning(
    server: MetricsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The cause stands in the log, not in the answer."""
    response, body = ask(server.url, "/status")

    assert (response.status, body) == (500, b'{"reason": "see the log"}\n')
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "metrics: a page failed"
    ]


def test_a_request_line_is_never_quoted(
    server: MetricsServer, canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that was pointed here by mistake sends tokens."""
    for path in (f"/bot{canary}/getUpdates", f"/bot{canary}/x y"):
        with socket.create_connection(("127.0.0.1", urlsplit(server.url or "").port or 0), timeout=5) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        assert canary.encode() not in answer

    assert canary not in caplog.text


def test_a_taken_port_is_one_warning_and_a_free_port(
    server: MetricsServer, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """The second instance of a host serves its metrics too."""
    second = MetricsServer(ledger, address=urlsplit(server.url or "").netloc)
    try:
        second.start()

        assert ask(second.url, "/metrics")[0].status == 200
        assert second.url != server.url
        taken, instead = urlsplit(server.url or "").port, urlsplit(second.url or "").port
        told = f"metrics: port {taken} of 127.0.0.1 is taken, serving on port {instead} instead"
        assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [told]
    finally:
        second.close()


def test_an_address_that_is_not_ours_is_one_warning_and_no_port(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Metrics never stop a bot."""
    server = MetricsServer(ledger, address="192.0.2.1:9409")

    assert server.start() is None
    assert server.url is None
    assert [r.levelname for r in caplog.records if r.name == "onepoller"] == ["WARNING"]


def test_our_own_name_is_not_looked_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """http.server does, and a name server that is away would hold up the bot."""
    asked: list[str] = []
    monkeypatch.setattr(socket, "getfqdn", asked.append)
    server = MetricsServer(ledger, address="127.0.0.1:0")
    server.start()
    server.close()

    assert asked == []


def test_starting_twice_is_starting_once(server: MetricsServer) -> None:
    """Every first call of a bot may start it."""
    url = server.url

    assert server.start() == url


def test_closing_frees_the_port(server: MetricsServer) -> None:
    """And may be done twice."""
    port = urlsplit(server.url or "").port or 0
    server.close()
    server.close()

    assert server.url is None
    with socket.create_server(("127.0.0.1", port)) as again:
        assert again.getsockname()[1] == port


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12 warns of what is tested here
def test_a_forked_child_has_no_port_until_it_starts_its_own(server: MetricsServer) -> None:
    """It drops what it inherited, and the parent's goes on."""
    parents = server.url
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before, inherited = server.url, server._running
            own = server.start()
            is_open = inherited is not None and inherited[1].fileno() >= 0
            told = f"{before} {own == parents} {is_open} {ask(own, '/healthz')[0].status}"
            os.write(writing, told.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    answer = os.read(reading, 1000)
    os.close(reading)
    os.close(writing)

    assert answer == b"None False False 200"
    assert ask(parents, "/healthz")[0].status == 200
