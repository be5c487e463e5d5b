"""The sockets of the fake, as it stops."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest

from onepoller.testing.botapi.connection import Connection
from onepoller.testing.botapi.server import Server


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_connection_that_comes_as_it_stops_is_not_left_open(*, is_stopped: bool) -> None:
    """The loop had accepted it already: nobody else would close it."""

    async def body() -> bool:
        server = Server()
        await server.start()
        if is_stopped:
            await server.stop()
        transport = Mock(spec=asyncio.Transport)
        transport.get_extra_info.return_value = ("127.0.0.1", 40001)
        Connection(server, 7).connection_made(transport)
        was_closed: bool = transport.abort.called
        await server.stop()
        return was_closed

    assert asyncio.run(body()) is is_stopped
