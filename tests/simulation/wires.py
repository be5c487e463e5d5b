"""The way to Telegram of one process: messages that take their time, and may not arrive."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Protocol

from onepoller.coordination.wire import Delivered, Manners, Refused, Request
from onepoller.testing.botapi import Answer, Reply
from tests.simulation.loops import SteppedLoop
from tests.simulation.world import World

CONNECT_TIMEOUT = 5.0
READ_SLACK = 5.0
"""A client waits so much longer than its poll."""
_UPDATE_ID = re.compile(rb'"update_id":(\d+)')
_PENDING = re.compile(rb'"pending_update_count":(\d+)')
_URL = re.compile(rb'"url":"([^"]*)"')
_RETRY_AFTER = re.compile(rb'"retry_after":(\d+)')


class Unreachable(Exception):
    """The network has failed."""


class _TimedOut(Unreachable):
    """So does a client's own time-out."""


class Side(Protocol):
    """The process at this end."""

    name: str
    loop: SteppedLoop
    is_cut: bool

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        ...


class TelegramWire:
    """The way to Telegram of one process."""

    api_root = "http://simulated"

    def __init__(self, side: Side, world: World, manners: Manners) -> None:
        self.manners = manners
        self._side = side
        self._world = world
        self._open: set[int] = set()

    async def poll(self, request: Request) -> Delivered | Refused:
        """Send one getUpdates."""
        arguments = {"offset": str(request.offset), "timeout": str(int(request.timeout))}
        if request.limit is not None:
            arguments["limit"] = str(request.limit)
        reply = await self._call("getUpdates", arguments, request.timeout + READ_SLACK)
        if reply.status == 200:
            ids = tuple(int(found) for found in _UPDATE_ID.findall(reply.body))
            return Delivered(update_ids=ids, reply=ids)
        again = _RETRY_AFTER.search(reply.body)
        return Refused(
            status=reply.status,
            text=reply.body.decode(),
            reply=reply,
            retry_after=float(again[1]) if again else 0.0,
        )

    async def ask(self, method: str) -> dict[str, Any]:
        """Call a read-only method."""
        reply = await self._call(method, {}, READ_SLACK)
        url, pending = _URL.search(reply.body), _PENDING.search(reply.body)
        if reply.status != 200 or url is None or pending is None:
            raise Unreachable(f"{method} was answered {reply.status}")
        return {"url": url[1].decode(), "pending_update_count": int(pending[1])}

    def close_all(self) -> None:
        """The kernel closes them."""
        for connection in sorted(self._open):
            self._close(connection)

    async def _call(self, method: str, arguments: dict[str, str], limit: float) -> Reply:
        loop, world = self._side.loop, self._world
        if not self._side.is_alive:
            raise Unreachable("the process has ended")
        if self._side.is_cut:
            await asyncio.sleep(CONNECT_TIMEOUT)
            raise _TimedOut("connecting")
        came: asyncio.Future[Reply] = loop.create_future()
        connection = world.send(
            self._side.name,
            method,
            arguments,
            lambda answer: world.after(world.latency(), self._arrived, answer, came),
        )
        self._open.add(connection)
        timer = loop.call_later(limit, _time_out, came)
        try:
            return await came
        finally:
            timer.cancel()
            self._close(connection)

    def _close(self, connection: int) -> None:
        self._open.discard(connection)
        self._world.close(connection)

    def _arrived(self, answer: Answer, came: asyncio.Future[Reply]) -> None:
        if self._side.is_alive and not self._side.is_cut:
            self._side.loop.post(_set, came, answer.reply)


def _set(came: asyncio.Future[Reply], reply: Reply) -> None:
    if not came.done():
        came.set_result(reply)


def _time_out(came: asyncio.Future[Reply]) -> None:
    if not came.done():
        came.set_exception(_TimedOut("reading"))
