"""The metrics port: a daemon thread that serves `Pages`. Loopback, unless told another address.

It never stops a bot: a taken port is one warning and a free port instead, any other trouble is one warning
and no port. Nothing is encoded on anybody's event loop. The object knows the process that started it: a
forked child has none until it starts its own, and its `close` drops what it inherited.
"""

from __future__ import annotations

import errno
import gzip
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from onepoller.coordination.errors import SettingsError
from onepoller.metrics.ledger import Ledger
from onepoller.metrics.pages import Page, Pages

DEFAULT_ADDRESS = "127.0.0.1:9409"
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:]+)]|(?P<host>[^\[\]:]+)):(?P<port>\d{1,5})")
_HIGHEST_PORT = 65535
_SMALL = 1024
"""A shorter body is not worth compressing, in bytes."""

log = logging.getLogger("onepoller")


def parse_address(address: str) -> tuple[str, int]:
    """Split `host:port` or `[host]:port`; port 0 means any free one. Raises SettingsError."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _HIGHEST_PORT:
        raise SettingsError(f"the metrics address must look like {DEFAULT_ADDRESS}, not {address!r}")
    return found["six"] or found["host"], int(found["port"])


class MetricsServer:
    """The HTTP thread of one process. Made by anybody at any time; it opens nothing before `start`."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        address: str = DEFAULT_ADDRESS,
        status: Callable[[], Mapping[str, object]] | None = None,
        is_alive: Callable[[], bool] | None = None,
    ) -> None:
        self._address = parse_address(address)
        self._pages = Pages(ledger, status=status, is_alive=is_alive)
        self._running: tuple[int, _Server, threading.Thread] | None = None

    @property
    def url(self) -> str | None:
        """Where this process serves, without a path; None where it does not."""
        if self._running is None or self._running[0] != os.getpid():
            return None
        host, port = self._running[1].server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def start(self) -> str | None:
        """Serve, and give the URL; None, with a warning in the log, where no port is to be had."""
        if self.url is not None:
            return self.url
        self.close()  # a forked child: what it inherited is not its own
        server = self._bound()
        if server is None:
            return None
        thread = threading.Thread(target=server.serve_forever, name="onepoller-metrics", daemon=True)
        self._running = (os.getpid(), server, thread)
        thread.start()
        log.info("metrics at %s/metrics", self.url, extra={"onepoller": {"event": "metrics_served"}})
        return self.url

    def close(self) -> None:
        """Stop serving. May be called twice, and in a forked child."""
        if self._running is None:
            return
        pid, server, thread = self._running
        self._running = None
        if pid == os.getpid():
            with suppress(OSError):  # ends the wait for a connection at once, where the system can
                server.socket.shutdown(socket.SHUT_RDWR)
            server.shutdown()
            thread.join()
        server.server_close()

    def _bound(self) -> _Server | None:
        host, port = self._address
        try:
            return _Server((host, port), self._pages)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                with suppress(OSError):
                    server = _Server((host, 0), self._pages)
                    log.warning(
                        "metrics: port %d of %s is taken, serving on port %d instead",
                        port,
                        host,
                        server.server_address[1],
                        extra={"onepoller": {"event": "metrics_port_taken"}},
                    )
                    return server
            log.warning(
                "metrics: cannot serve on %s port %d (%s); the bots run on without a metrics port",
                host,
                port,
                error.strerror,
                extra={"onepoller": {"event": "metrics_not_served"}},
            )
            return None


class _Server(ThreadingHTTPServer):
    """A server of pages, one daemon thread a connection."""

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.pages = pages
        super().__init__(address, _Request)

    def server_bind(self) -> None:
        """Bind, without the look-up of our own name that HTTPServer makes: it can take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, _request: object, _client_address: object) -> None:
        """Note a connection that broke; the standard one prints a traceback to stderr."""
        log.debug("metrics: a connection broke", exc_info=sys.exc_info())


class _Request(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    server_version = "onepoller"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # ends idle connections; scrapers come more often than once a minute

    def do_GET(self) -> None:
        """Answer with a page."""
        try:
            page = self.server.pages.page(self.path)
        except Exception:  # the status is a callable of somebody else's
            log.warning(
                "metrics: a page failed", exc_info=True, extra={"onepoller": {"event": "page_failed"}}
            )
            page = Page(status=HTTPStatus.INTERNAL_SERVER_ERROR, body=b'{"reason": "see the log"}\n')
        self._answer(page)

    do_HEAD = do_GET  # noqa: N815  # the name is http.server's

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of ours: 405 for a method that we do not know, not 501 and a page."""
        del message, explain  # both may quote the request, which may hold a token
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True  # a body may follow that nobody reads
        self._answer(Page(status=status, body=b'{"reason": "GET and HEAD only"}\n'))

    def _answer(self, page: Page) -> None:
        body = page.body
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        if len(body) >= _SMALL and self._takes_gzip():
            # Level 1: ten times as fast as the usual 9, for a twentieth more bytes.
            body = gzip.compress(body, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _takes_gzip(self) -> bool:
        offered = self.headers.get("Accept-Encoding", "").replace(" ", "").lower().split(",")
        return any(
            coding == "gzip" or re.fullmatch(r"gzip;q=(?:1|0?\.\d*[1-9]).*", coding) for coding in offered
        )

    def log_message(self, *_args: object) -> None:
        """Write no access log: a path may be anything, a token too."""
