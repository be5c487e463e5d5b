"""A body that has come as a whole is taken as a whole; any other one has to be waited for."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientPayloadError
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from onepoller.adapters.proxy import body

pytestmark = pytest.mark.anyio


def stream(*pieces: bytes) -> StreamReader:
    """Give a stream with these pieces, which has not ended."""
    loop = asyncio.get_running_loop()
    made = StreamReader(BaseProtocol(loop), limit=1 << 16, loop=loop)
    for piece in pieces:
        made.feed_data(piece)
    return made


async def test_a_body_that_has_ended_is_whole() -> None:
    """All its pieces, in their order."""
    content = stream(b"all ", b"of it")
    content.feed_eof()

    assert body.whole(content) == b"all of it"


async def test_an_empty_body_is_whole() -> None:
    """It is there, and nothing is in it."""
    content = stream()
    content.feed_eof()

    assert body.whole(content) == b""


async def test_a_body_that_is_still_coming_is_left_alone() -> None:
    """What has come of it stays for whoever waits for the rest."""
    content = stream(b"a part")

    assert (body.whole(content), content.read_nowait()) == (None, b"a part")


async def test_a_body_that_broke_off_is_not_whole() -> None:
    """Whoever reads it learns that it broke off."""
    content = stream(b"a part")
    content.set_exception(ClientPayloadError())
    content.feed_eof()

    assert body.whole(content) is None
