"""The clients' connections: how many there may be, and which of them are too slow to ask."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from onepoller.adapters.proxy.connection import Connection
from onepoller.adapters.proxy.line import Line

HEAD_LIMIT = 20.0
"""A new connection, and a request that has begun, have so long until the head of a request is complete."""
SWEEP_EVERY = 5.0
MOST_LINE = 256 << 10
"""The server's own limit for all headers; a long text in a query needs much of it."""
MOST_FIELD = 32 << 10
MOST_FIELDS = 100
IDLE_LIMIT = 3600.0
"""An idle connection is kept for longer than any client handles a batch: its closing must be the client's."""


class Sockets(web.Server):
    """Makes and keeps the connections."""

    def __init__(self, handler: Any, *, line: Line, most: int, logger: Any) -> None:
        super().__init__(
            handler,
            request_factory=self._request,
            handler_cancellation=True,
        )
        self.most = most
        self.clients = 0
        """How many connections there are."""
        self._line = line
        self._here = asyncio.get_running_loop()
        self._options = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": IDLE_LIMIT,
            "lingering_time": 2.0,
            "logger": logger,
            "max_field_size": MOST_FIELD,
            "max_headers": MOST_FIELDS,
            "max_line_size": MOST_LINE,
        }
        self._unfinished: dict[Connection, float] = {}
        self._timer = self._here.call_later(SWEEP_EVERY, self._sweep)

    def __call__(self) -> Connection:
        """A protocol for a connection that is being accepted."""
        return Connection(self, loop=self._here, **self._options)

    @property
    def is_full(self) -> bool:
        """Whether one more connection would be too many."""
        return self.clients >= self.most

    def come(self, connection: Connection) -> None:
        """A connection has been accepted."""
        self.clients += 1
        self.awaits(connection)

    def awaits(self, connection: Connection) -> None:
        """A request of this connection is due, or half there."""
        self._unfinished.setdefault(connection, self._here.time())

    def gone(self, connection: Connection) -> None:
        """A connection has closed."""
        self.clients -= 1
        self._unfinished.pop(connection, None)
        if connection.bots:
            self._line.closed(connection)

    def stop(self) -> None:
        """Sweep no more."""
        self._timer.cancel()

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """The head of a request is complete."""
        assert isinstance(protocol, Connection)
        self._unfinished.pop(protocol, None)
        protocol.is_busy = True
        return web.BaseRequest(message, payload, protocol, writer, task, self._here)

    def _sweep(self) -> None:
        late = self._here.time() - HEAD_LIMIT
        for connection, since in list(self._unfinished.items()):
            if since > late:
                break  # they stand in the order in which they came
            self._unfinished.pop(connection, None)
            connection.force_close()
        self._timer = self._here.call_later(SWEEP_EVERY, self._sweep)
