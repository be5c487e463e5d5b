"""The end of a listening socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from onepoller.testing.botapi.listening import stop_listening


@pytest.mark.parametrize("turns", range(4))
def test_a_connection_that_came_at_this_moment_is_made_or_refused(turns: int) -> None:
    """Whatever turn of the loop it is: nothing fails, and no socket is left open."""
    made: list[asyncio.BaseTransport] = []
    failed: list[object] = []

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    async def stopped() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failed.append(context))
        server = await loop.create_server(Connection, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()):
            for _ in range(turns):
                await asyncio.sleep(0)
            await stop_listening(server)
            for transport in made:
                transport.close()
            await asyncio.sleep(0)

    asyncio.run(stopped())
    assert failed == []
    assert len(made) == (turns > 1)
