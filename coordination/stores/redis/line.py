"""One open connection to a server, used by one caller at a time: several commands in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis import exceptions
from redis.asyncio.connection import Connection, UnixDomainSocketConnection

from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.scripts import TEXTS, Script
from onepoller.coordination.stores.redis.server import SECTIONS, Server

_CLOSING = 0.1
"""Seconds."""
Command = Sequence[str | bytes | int]


class Line:
    """A connection, and the server at its other end, which stays the same as long as it is open."""

    def __init__(self, connection: Connection | UnixDomainSocketConnection, server: Server) -> None:
        self.server = server
        self._connection = connection

    @classmethod
    async def open(cls, place: Place) -> Line:
        """Connect and log in. Raises the client's errors, and StoreUnfit."""
        connection = place.connection()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # no types
            info = _sound(await _asked(connection, [("INFO", section) for section in SECTIONS]))
            server = Server.of("\n".join(map(bytes.decode, info)), shown=place.shown)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection, server)

    async def ask(self, *commands: Command) -> list[Any]:
        """Send these in one round trip and give their replies; the first error among them is raised."""
        if not self._connection.is_connected:  # it would open itself again, perhaps to another server
            raise exceptions.ConnectionError
        replies = await _asked(self._connection, commands)
        missing = [n for n, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
        if missing:  # the server has been restarted, or has forgotten its scripts
            again = await _asked(self._connection, [_in_full(commands[n]) for n in missing])
            for n, reply in zip(missing, again, strict=True):
                replies[n] = reply
        return _sound(replies)

    async def subscribe(self, *channels: str) -> None:
        """Hear what is told on these; the line is good for nothing else any more."""
        await self._connection.send_command("SUBSCRIBE", *channels)
        for _ in channels:
            await self._connection.read_response()

    async def heard(self, seconds: float) -> tuple[str, str] | None:
        """A channel and what was told on it, waiting for it so long; None if nothing was."""
        reply = await self._connection.read_response(timeout=max(0.0, seconds), disconnect_on_error=False)
        if not reply or reply[0] != b"message":
            return None
        return reply[1].decode(), reply[2].decode()

    async def close(self) -> None:
        """Close it; with TLS that takes a word from the other end, which is not waited for if it is late."""
        with suppress(exceptions.RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await self._connection.disconnect()


def run(script: Script, keys: Sequence[str], *args: str | bytes | int) -> Command:
    """The command that runs a script which the server knows."""
    return ("EVALSHA", script.sha, len(keys), *keys, *args)


def _in_full(command: Command) -> Command:
    return ("EVAL", TEXTS[str(command[1])], *command[2:])


def _sound(replies: list[Any]) -> list[Any]:
    """These, if there is no error among them; else the first is raised."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


async def _asked(
    connection: Connection | UnixDomainSocketConnection, commands: Sequence[Command]
) -> list[Any]:
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    replies: list[Any] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response())
        except exceptions.ResponseError as error:
            replies.append(error)
    return replies
