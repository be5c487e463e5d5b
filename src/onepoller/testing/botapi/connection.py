"""One client's connection to the fake: bytes in, requests out, one at a time.

No task per connection: a parked poll costs a protocol object and a socket. That the client has gone is seen
here and told to the server, for its journal; the rules of the Bot API do not notice it.
"""

import asyncio
import select
import socket
import struct
from typing import TYPE_CHECKING

from onepoller.testing.botapi import replies
from onepoller.testing.botapi.arguments import UnreadableError
from onepoller.testing.botapi.http import Reader, Request
from onepoller.testing.botapi.replies import Cut, Reply

if TYPE_CHECKING:
    from onepoller.testing.botapi.server import Server

MOST_PIPELINED = 1 << 20
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL
_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST


class Connection(asyncio.Protocol):
    """One connection. `id` is its name in the core."""

    __slots__ = ("_is_busy", "_reader", "_server", "_transport", "id", "idle_since", "peer")

    def __init__(self, server: "Server", connection_id: int) -> None:
        self.id = connection_id
        self.peer = ""
        self.idle_since = 0.0
        self._server = server
        self._reader = Reader()
        self._is_busy = False
        self._transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.id} from {self.peer}>"

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return not self._is_busy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. asyncio has set TCP_NODELAY."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = f"peer {peer[0]}:{peer[1]}" if peer else "peer unknown"
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        """Read; what comes while a request is being answered waits."""
        if not self._is_busy:
            self._read(data)
            return
        self._reader.keep(data)
        if self._reader.kept > MOST_PIPELINED:
            self.cut(Cut.CLOSE)

    def eof_received(self) -> bool:
        """Take the end of the client's bytes for its going, as the server does."""
        if self.is_idle and self._reader.has_begun:
            self._refuse(400)
        self._server.lost(self)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server."""
        del exc
        self._transport = None
        self._server.lost(self)

    def is_connected(self) -> bool:
        """Ask the kernel whether the client is still there: its FIN or RST may not have been read yet.

        Not MSG_PEEK: bytes of a further request in front of the FIN would hide it.
        """
        if self._transport is None or self._transport.is_closing():
            return False
        poller = select.poll()
        poller.register(self._transport.get_extra_info("socket").fileno(), _GONE)
        return not any(event & _GONE for _, event in poller.poll(0))

    def write(self, reply: Reply) -> None:
        """Answer the request, then read the next one."""
        self._is_busy = False
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(replies.wire(reply))
        self.idle_since = self._server.now()
        if self._reader.kept:
            asyncio.get_running_loop().call_soon(self._read_on)

    def cut(self, cut: Cut) -> None:
        """End the connection without an answer, or in the middle of one."""
        if self._transport is None:
            return
        if cut is Cut.SHORT:
            self._transport.write(replies.wire_short(replies.EMPTY))
        if cut is Cut.RESET:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _read_on(self) -> None:
        if not self._is_busy and self._transport is not None:
            self._read(b"")

    def _read(self, data: bytes) -> None:
        try:
            request = self._reader.feed(data) if data else self._reader.next_request()
            if request is not None:
                self._is_busy = True
                self._receive(request)
        except UnreadableError as error:
            self._refuse(error.status)

    def _receive(self, request: Request) -> None:
        self._server.received(self, request)

    def _refuse(self, status: int) -> None:
        if self._transport is not None:
            self._transport.write(replies.bare(status))
            self._transport.close()
