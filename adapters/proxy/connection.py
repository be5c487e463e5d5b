"""One client's connection: which bots were polled over it, when it has gone, and when it is too slow.

A connection of aiohttp's server with three more things to say, all of them by methods that aiohttp calls:
it tells when it has closed, it is in `unfinished` while a request of it is awaited or half there, and it
answers a request that cannot be read with a bare status, like the server it stands for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from onepoller.adapters.proxy.answers import bare
from onepoller.coordination.identity import BotId

if TYPE_CHECKING:
    from onepoller.adapters.proxy.sockets import Sockets


class Connection(web.RequestHandler):
    """One client's connection; a `line.Client`."""

    __slots__ = ("_server", "bots", "is_busy", "is_surplus")

    def __init__(self, server: Sockets, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._server = server
        self.bots: tuple[BotId, ...] = ()
        self.is_busy = False
        self.is_surplus = False
        """It came when there was no room left: its first request is refused."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self.is_surplus = self._server.is_full
        super().connection_made(transport)
        self._server.come(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: of a request that is answered, or the beginning of the next one."""
        if not self.is_busy:
            self._server.awaits(self)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It has gone."""
        self._server.gone(self)
        super().connection_lost(exc)

    def end_request(self) -> None:
        """Cancel what is being answered, and close."""
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what cannot be read. What it says is neither repeated nor logged: it may hold a token."""
        del request, message
        if status >= 500:
            self.logger.error("a request failed: this is a defect", exc_info=exc)
        return bare(status)
