"""The open connections of one store: made when needed, each used by one caller at a time.

So a heartbeat never waits behind the ten thousandth claim of a takeover. What goes wrong comes out as our
errors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis import exceptions

from onepoller.coordination.stores.engine.fork import keep_in_children
from onepoller.coordination.stores.redis.faults import faults
from onepoller.coordination.stores.redis.line import Line
from onepoller.coordination.stores.redis.place import Place

_T = TypeVar("_T")
_log = logging.getLogger("onepoller")


class Lines:
    """Connections to one place. Belongs to one event loop as soon as one of them is open."""

    def __init__(self, place: Place) -> None:
        self.trouble = ""
        """What the server may lose, as it said when we last connected; one sentence, or empty."""
        self._named = place
        self._place = place
        """Where our keys lie, if the named server is of a cluster and has sent us on."""
        self._idle: list[Line] = []
        self._stay_open = False
        keep_in_children(self)

    async def call(self, work: Callable[[Line], Awaitable[_T]], *, limit: float) -> _T:
        """Have this done on a connection, within so many seconds.

        It is done again on a new one where the old one was found closed, so it must be fit for that.
        """
        with faults(self._named.shown):
            async with asyncio.timeout(limit):
                try:
                    return await self._called(work)
                except exceptions.ResponseError as error:
                    self._place = _moved(self._named, error)
                    await self._close_idle()
                    return await self._called(work)

    async def own(self, *channels: str, limit: float) -> Line:
        """A connection for the caller alone, who closes it, subscribed to these channels."""
        with faults(self._named.shown):
            async with asyncio.timeout(limit):
                line = await self._opened()
                try:
                    await line.subscribe(*channels)
                except BaseException:
                    await line.close()
                    raise
                return line

    async def heard(self, line: Line, *, seconds: float) -> tuple[str, str] | None:
        """What is told on a subscribed line: see `Line.heard`."""
        with faults(self._named.shown):
            return await line.heard(seconds)

    def stay_open(self) -> None:
        """Keep connections for the next call."""
        self._stay_open = True

    async def close(self) -> None:
        """Keep none any more; those in use are closed after their use."""
        self._stay_open = False
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _called(self, work: Callable[[Line], Awaitable[_T]]) -> _T:
        while self._idle:
            try:
                return await self._done(work, self._idle.pop())
            except exceptions.ConnectionError:  # its server has gone while nobody used it
                continue
        return await self._done(work, await self._opened())

    async def _opened(self) -> Line:
        try:
            line = await Line.open(self._place)
        except BaseException:
            self._place = self._named
            raise
        if line.server.trouble and line.server.trouble != self.trouble:
            _log.warning("onepoller: %s", line.server.trouble)
        self.trouble = line.server.trouble
        return line

    async def _done(self, work: Callable[[Line], Awaitable[_T]], line: Line) -> _T:
        try:
            done = await work(line)
        except BaseException:
            await line.close()
            raise
        if self._stay_open:
            self._idle.append(line)
        else:
            await line.close()
        return done


def _moved(named: Place, error: exceptions.ResponseError) -> Place:
    """The node to which this one of a cluster sends us: `MOVED SLOT HOST:PORT`. Else raises the error."""
    words = str(error).removeprefix("MOVED ").split()
    if not isinstance(error, exceptions.MovedError) and not str(error).startswith("MOVED "):
        raise error  # older clients know no class for it
    host, _, port = words[-1].rpartition(":")
    return named.at(host, int(port))
