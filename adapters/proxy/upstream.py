"""The side of the Bot API: one pool of connections for all bots, everything streamed through untouched.

What is hop-by-hop stays on its hop, nothing is decoded, redirects are handed back, cookies are not kept.
Neither side is read faster than the other takes. A client that leaves ends its request upstream. No request
is sent twice: a GET of a method may send a message, so methods go out as POST, which the server takes for the
same and aiohttp never repeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import getproxies

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from onepoller.adapters.proxy import body as bodies
from onepoller.adapters.proxy.answers import Unreadable, bad_gateway, bare
from onepoller.adapters.proxy.route import Route

CONNECT_LIMIT = 10.0
ANSWER_LIMIT = 600.0
"""So long the Bot API may be silent while it works on one request, seconds; large uploads take their time."""
ASK_LIMITS = aiohttp.ClientTimeout(total=10.0)
POLL_LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT)
"""A poll that is overdue is ended by its guard."""
_STREAM_LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT, sock_read=ANSWER_LIMIT)
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_SENT = _HOP_BY_HOP | {"host", "expect"}
_WITH_A_BODY = _NOT_SENT | frozenset(
    {"content-length", "content-type", "content-encoding", "accept-encoding"}
)
_TELLING = ("Content-Type", "Retry-After")
_NO_DEFAULTS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
Trouble = (aiohttp.ClientError, OSError, TimeoutError)
"""The Bot API could not be reached, or broke off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A small answer, read to its end and decoded."""

    status: int
    content: bytes = field(repr=False)
    headers: dict[str, str]
    """Those that say something about the content or when to come again."""


class Upstream:
    """The Bot API behind this proxy. `async with` opens and closes its pool."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            # A way out through HTTPS_PROXY, where there is one; else the look at it would cost each request.
            trust_env=bool(getproxies()),
            auto_decompress=False,
            skip_auto_headers=_NO_DEFAULTS,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.close()

    @property
    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use it inside its async with block"
        return self._session

    async def fetch(
        self,
        path: str,
        arguments: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        limits: aiohttp.ClientTimeout = ASK_LIMITS,
    ) -> Answer:
        """Call a method with these parameters and read its answer. Raises what is in `Trouble`."""
        url = self._url(f"{path}?{urlencode(arguments)}" if arguments else path)
        async with self._open.post(
            url, headers=_without_body(headers), auto_decompress=True, allow_redirects=False, timeout=limits
        ) as response:
            return Answer(
                status=response.status,
                content=await response.read(),
                headers={n: response.headers[n] for n in _TELLING if n in response.headers},
            )

    async def pass_on(
        self, request: web.BaseRequest, route: Route, read: bytes | None = None
    ) -> web.StreamResponse:
        """Send a request on and its answer back. `read`: the body, where it was looked into."""
        method = request.method if route.is_file else "POST"
        data: Any = read
        if read is None and request.body_exists and (data := bodies.whole(request.content)) is None:
            data = bodies.stream(request)
        try:
            response = await self._open.request(
                method,
                self._url(route.target),
                data=data,
                headers=onward(request.headers),
                allow_redirects=False,
                timeout=_STREAM_LIMITS,
            )
        except Unreadable as refused:
            return bare(refused.status)
        except Trouble as trouble:
            cause = trouble.__cause__ or trouble.__context__
            return bare(cause.status) if isinstance(cause, Unreadable) else bad_gateway()
        async with response:
            return await _back(request, response)

    def _url(self, target: str) -> URL:
        return URL(self.root + target, encoded=True)


async def _back(request: web.BaseRequest, response: aiohttp.ClientResponse) -> web.StreamResponse:
    """Stream an answer to the client; where it breaks off, so does the client's connection.

    One that has come as a whole is sent as a whole, with its head: one write, one packet.
    """
    headers = onward(response.headers)
    if request.method != "HEAD" and (whole := bodies.whole(response.content)) is not None:
        return web.Response(status=response.status, reason=response.reason, headers=headers, body=whole)
    answer = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
    if answer.content_length is None and request.version >= aiohttp.HttpVersion11:
        answer.enable_chunked_encoding()
    try:
        await answer.prepare(request)
        async for piece in response.content.iter_any():
            async with asyncio.timeout(bodies.CHUNK_LIMIT):
                await answer.write(piece)
        await answer.write_eof()
    except Trouble:
        answer.force_close()
        if request.transport is not None:
            request.transport.abort()
    return answer


def onward(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers that belong to the message and not to the connection."""
    return _without(headers, _NOT_SENT)


def _without_body(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = _without(headers, _WITH_A_BODY)
    kept["Accept-Encoding"] = "gzip, deflate"
    return kept


def _without(headers: Mapping[str, str], left_out: frozenset[str]) -> CIMultiDict[str]:
    """All headers but these and those that `Connection` names."""
    if named := headers.get("Connection", ""):
        left_out |= {name.strip().lower() for name in named.split(",")}
    return CIMultiDict([(name, value) for name, value in headers.items() if name.lower() not in left_out])
