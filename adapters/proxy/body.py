"""The body of a request that has to be looked into, read within limits; those of all others stream by."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.streams import StreamReader

from onepoller.adapters.proxy.answers import Unreadable
from onepoller.coordination.arguments import arguments_of

MOST_ARGUMENTS = 4 << 20
"""The server itself takes 1 MiB of parameters, and 3 MiB of a certificate with a setWebhook."""
MOST_BYTES = 4000 << 20
"""The largest upload: what the server itself takes as one file."""
READ_LIMIT = 30.0
"""A body that is looked into has so long to come, seconds."""
CHUNK_LIMIT = 60.0
"""A client that sends or takes nothing for so long is given up, seconds."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read(request: web.BaseRequest) -> bytes:
    """The whole body as it was sent. Raises Unreadable."""
    length = request.content_length
    if length is not None and length > MOST_ARGUMENTS:
        raise Unreadable(413)
    if (there := whole(request.content)) is not None:
        return there
    await invite(request)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_LIMIT):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MOST_ARGUMENTS:
                    raise Unreadable(413)
    except TimeoutError:
        raise Unreadable(408) from None
    except web.RequestPayloadError:
        raise Unreadable(400) from None
    return bytes(body)


def whole(content: StreamReader) -> bytes | None:
    """A body of which all has come already, as most do; else None. It is small: little is read ahead."""
    return content.read_nowait() if content.is_eof() and content.exception() is None else None


async def stream(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body, piece by piece, as fast as it is taken. Raises Unreadable."""
    await invite(request)
    size = 0
    pieces = request.content.iter_any()
    while True:
        try:
            async with asyncio.timeout(CHUNK_LIMIT):
                piece = await anext(pieces, b"")
        except TimeoutError:
            raise Unreadable(408) from None
        except web.RequestPayloadError:
            raise Unreadable(400) from None
        if not piece:
            return
        size += len(piece)
        if size > MOST_BYTES:
            raise Unreadable(413)
        yield piece


async def invite(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to send its body."""
    if "100-continue" in request.headers.get("Expect", "").lower():
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # aiohttp's own way: this was no answer yet


def arguments(request: web.BaseRequest, query: str, body: bytes) -> dict[str, str]:
    """All parameters as text. Raises Unreadable."""
    encoding = request.headers.get("Content-Encoding", "").lower().strip()
    if encoding in {"gzip", "deflate"} and body:
        body = _unpacked(body)
    elif encoding not in {"", "identity", "gzip", "deflate"}:
        raise Unreadable(415)
    return arguments_of(query, request.headers.get("Content-Type", ""), body)


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        content = unpacker.decompress(body, MOST_ARGUMENTS)
    except zlib.error:
        raise Unreadable(400) from None
    if unpacker.unconsumed_tail:
        raise Unreadable(413)
    return content
