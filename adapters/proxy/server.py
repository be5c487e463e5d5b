"""The proxy itself: which request goes where, where it listens, and how it stops.

Safe by default: it listens on the loopback only; on another address it serves the bots that were named and
no others. Nothing that it writes holds a token.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import web

from onepoller import process
from onepoller.adapters.proxy import answers, body
from onepoller.adapters.proxy.connection import Connection
from onepoller.adapters.proxy.polls import Polls
from onepoller.adapters.proxy.route import Route, route_of
from onepoller.adapters.proxy.sockets import Sockets
from onepoller.adapters.proxy.upstream import Upstream
from onepoller.adapters.proxy.webhooks import Webhooks
from onepoller.coordination.errors import SettingsError, SetupError
from onepoller.coordination.report import Clients
from onepoller.coordination.target import GET_UPDATES, GUARDED

STOP_LIMIT = 5.0
"""What is being streamed when the proxy stops has so long to end, seconds."""
WRITE_LIMIT = 60.0
_METHODS = frozenset({"GET", "POST"})
_log = logging.getLogger("onepoller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to listen, where the Bot API is, and for whom."""

    host: str
    port: int
    api_root: str
    bots: frozenset[int] = frozenset()
    """The bots that are served; empty: all."""
    most: int = 1000
    """How many clients fit."""
    lets_go: bool = True
    """Whether a bot is let go once its last client has left. Where another has the claim, that is theirs
    to say: later polls would not meet a guard that was retired behind their back."""

    def __post_init__(self) -> None:
        """Check what can be checked before anything is opened."""
        if not is_loopback(self.host) and not self.bots:
            raise SettingsError(
                f"--listen {self.host}: whoever reaches this address could use the proxy; name the bots that "
                "it serves with --allow-bot, or listen on 127.0.0.1"
            )
        if not _is_root(self.api_root):
            raise SettingsError("--api-root must look like https://api.telegram.org")


class Proxy:
    """The sidecar. `async with` listens, and stops."""

    def __init__(self, poller: process.OnePoller, place: Place) -> None:
        self._poller = poller
        self._place = place
        self._opened = AsyncExitStack()
        self._sockets: Sockets | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._poller.instance.counts(self._clients)
        self._poller.start()
        self._poller.describe("proxy", self.status)
        place = self._place
        self._upstream = await self._opened.enter_async_context(Upstream(place.api_root.rstrip("/")))
        self._polls = Polls(self._poller, self._upstream, lets_go=place.lets_go)
        self._webhooks = Webhooks(self._poller, self._upstream, self._polls.line)
        self._sockets = sockets = Sockets(self._handle, line=self._polls.line, most=place.most, logger=_log)
        self._listener = await self._listen()
        self._opened.push_async_callback(sockets.shutdown, STOP_LIMIT)
        host, port = self._listener.sockets[0].getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end_polls()
        await self._opened.aclose()

    async def end_polls(self) -> None:
        """Take no more requests and end all polls, here and at Telegram: from now on another may poll.

        What is being streamed goes on until the `async with` block ends.
        """
        self._listener.close()
        assert self._sockets is not None
        self._sockets.stop()
        await self._polls.end()
        self._sockets.pre_shutdown()

    def begin_anew(self) -> None:
        """Forget the clients that there were: they have ended, for those who know that."""
        self._polls.line.begin_anew()

    def status(self) -> dict[str, Any]:
        """What there is to know of this proxy, as plain data for JSON."""
        place, clients = self._place, self._clients()
        return {
            "listens": self.url,
            "api_root": place.api_root,
            "allowed_bots": sorted(place.bots) or "all",
            "clients": clients.here,
            "most_clients": clients.most,
        }

    def _clients(self) -> Clients:
        return Clients(here=self._sockets.clients if self._sockets is not None else 0, most=self._place.most)

    async def _listen(self) -> asyncio.Server:
        place = self._place
        assert self._sockets is not None
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(
                self._sockets, place.host, place.port, backlog=1024, reuse_address=True
            )
        except OSError as error:
            await self._opened.aclose()
            raise SetupError(
                f"--listen {place.host}:{place.port} cannot be had: {error.strerror or error}"
            ) from None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        client = request.protocol
        assert isinstance(client, Connection)
        try:
            answer = await self._answer(client, request)
            if isinstance(answer, web.Response) and not answer.prepared:
                await _send(request, answer)
            return answer
        except answers.Unreadable as refused:
            return answers.bare(refused.status)
        finally:
            client.is_busy = False

    async def _answer(self, client: Connection, request: web.BaseRequest) -> web.StreamResponse:
        if client.is_surplus:
            return answers.no_room()
        route = route_of(request.raw_path)
        if route is None:
            return answers.not_found()
        if request.method not in _METHODS and not (route.is_file and request.method == "HEAD"):
            return answers.bare(501)
        if self._place.bots and route.bot_id not in self._place.bots:
            return answers.error(403, f"Forbidden: onepoller serves no bot {route.bot_id} here")
        length = request.content_length
        if length is not None and length > body.MOST_BYTES:
            return answers.bare(413)
        if route.is_file or (route.method and route.method not in GUARDED):
            return await self._upstream.pass_on(request, route)
        return await self._guarded(client, request, route)

    async def _guarded(
        self, client: Connection, request: web.BaseRequest, route: Route
    ) -> web.StreamResponse:
        read = await body.read(request)
        arguments = body.arguments(request, route.query, read)
        named = route if route.method else route.named(arguments.get("method", ""))
        if named is None:
            return answers.method_not_found()
        if named.method == GET_UPDATES:
            return await self._polls.serve(client, named, arguments, request.headers)
        if named.method in GUARDED:
            return await self._webhooks.serve(request, named, arguments, read)
        return await self._upstream.pass_on(request, named, read)


async def _send(request: web.BaseRequest, answer: web.Response) -> None:
    """Write an answer; a client that does not take it is given up."""
    try:
        async with asyncio.timeout(WRITE_LIMIT):
            await answer.prepare(request)
            await answer.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_root(url: str) -> bool:
    """Whether this is the root of an API: a host, and perhaps a path, without a password: it is printed."""
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    has_more = "@" in parts.netloc or "?" in url or "#" in url
    return parts.scheme in {"http", "https"} and has_host and not has_more
