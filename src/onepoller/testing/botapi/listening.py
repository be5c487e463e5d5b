"""The end of a listening socket, so that no connection is left open that came at this moment."""

from __future__ import annotations

import asyncio

_TURNS = 5
"""A connection that was accepted is made in the next turns of the loop."""


async def stop_listening(server: asyncio.Server) -> None:
    """Take no more connections. What was accepted before is a connection when this returns.

    `Server.close` alone is not enough: asyncio accepts in one turn of its loop, makes the connection in the
    next, and fails there on a server that is closed, with the socket left open.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    server.close()
