"""A TCP proxy between a client and a server that does, on a test's order, what networks do.

What is held back arrives when the fault is over, as after a partition: a connection that was silent for a
minute goes on with the bytes of a minute ago. Its event loop runs in a thread of its own; orders may come
from any thread, and have taken effect when they return.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from onepoller.testing.botapi.listening import stop_listening

_CHUNK = 1 << 16
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PATIENCE = 45.0


class Way(StrEnum):
    """A direction, as seen from the client."""

    UP = "up"
    DOWN = "down"


class Link:
    """One connection of a client, and ours to the server for it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.is_forgotten = False
        """Whatever the client sends is lost, and nothing comes back; it hears nothing of that."""
        self._server: asyncio.StreamWriter | None = None
        self._end_of_server: Callable[[asyncio.StreamWriter], None] | None = None

    def connected(self, server: asyncio.StreamWriter) -> None:
        """We have reached the server. What was ordered meanwhile is done now."""
        self._server = server
        if self._end_of_server is not None:
            self._end_of_server(server)

    def reset(self) -> None:
        """Both sides get a RST."""
        _reset(self.client)
        self._end_server(_reset)

    def forget(self, *, server_hears: bool) -> None:
        """The client's side stays open."""
        self.is_forgotten = True
        if server_hears:
            self._end_server(_close)

    def close(self) -> None:
        """In good order."""
        _close(self.client)
        self._end_server(_close)

    def _end_server(self, how: Callable[[asyncio.StreamWriter], None]) -> None:
        self._end_of_server = how
        if self._server is not None:
            how(self._server)


@dataclass(slots=True, kw_only=True)
class Planned:
    """A fault that begins instead of a certain piece of data, which is the first that it strikes."""

    order: Callable[[], None]
    way: Way
    left: int
    """So many pieces in this direction, this one included."""
    struck: threading.Event = field(default_factory=threading.Event)


class FaultProxy:
    """Forwards to a port of this machine, until told otherwise."""

    def __init__(self, port: int) -> None:
        self.links: set[Link] = set()
        self._all: list[Link] = []
        self._to = port
        self._delay = 0.0
        self._gates: dict[Way, asyncio.Event] = {}
        self._planned: Planned | None = None
        self._listening: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        """Begin to listen, on a free port."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    # Orders

    def heal(self) -> None:
        """Pass everything again, what was held back first; take connections again. Nothing is planned."""
        self._run(self._heal)

    def plan(self, order: Callable[[], None], way: Way, number: int) -> threading.Event:
        """Obey this order (of ours) at the n-th piece of data from now; gives what is set then.

        A piece is what is read at once, of any connection: the request or the answer of one round trip.
        """
        planned = Planned(order=order, way=way, left=number)

        def keep() -> None:
            self._planned = planned

        self._run(keep)
        return planned.struck

    def blackhole(self, *ways: Way) -> None:
        """Take bytes and connections and forward nothing: in these directions, by default in both."""

        def close_gates() -> None:
            for way in ways or tuple(Way):
                self._gates[way].clear()

        self._run(close_gates)

    def delay(self, seconds: float) -> None:
        """Have everything take so much longer, in each direction."""

        def slow_down() -> None:
            self._delay = seconds

        self._run(slow_down)

    def reset(self) -> None:
        """Send a RST on every connection, to both sides; new ones pass."""

        def reset_all() -> None:
            for link in list(self.links):
                link.reset()

        self._run(reset_all)

    def forget(self, *, server_hears: bool) -> None:
        """Leave the clients with connections that are dead without their knowing; new ones pass.

        `server_hears`: the server sees its side close; otherwise it believes in the connection too.
        """

        def forget_all() -> None:
            for link in self.links:
                link.forget(server_hears=server_hears)

        self._run(forget_all)

    def refuse(self) -> None:
        """Reset what is open, and refuse new connections."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result(_PATIENCE)

    # In the loop

    def _run(self, order: Callable[[], None]) -> None:
        if threading.current_thread() is self._thread:
            order()  # as planned
            return

        async def obey() -> None:
            if self._listening is None:
                await self._listen()
            order()

        asyncio.run_coroutine_threadsafe(obey(), self._loop).result(_PATIENCE)

    async def _listen(self) -> None:
        for way in Way:
            self._gates.setdefault(way, asyncio.Event()).set()
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    def _heal(self) -> None:
        self._planned = None
        self._delay = 0.0
        for gate in self._gates.values():
            gate.set()

    async def _refuse(self) -> None:
        if self._listening is not None:
            listening, self._listening = self._listening, None
            await stop_listening(listening)
        for link in list(self.links):
            link.reset()

    async def _end(self) -> None:
        await self._refuse()
        # Also those that the loop was taking in at this moment.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        for link in self._all:  # also whose task had not begun, or which still had something to write
            link.reset()
        await asyncio.sleep(0)  # until they are closed

    def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        link = Link(to_client)
        self.links.add(link)
        self._all.append(link)
        task = self._loop.create_task(self._serve(link, from_client, to_client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, link: Link, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        try:
            await self._gates[Way.UP].wait()
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
            link.connected(to_server)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(link, Way.UP, from_client, to_server))
                group.create_task(self._pump(link, Way.DOWN, from_server, to_client))
        except* OSError:
            link.reset()  # the server takes no connection, or one side has reset it
        finally:
            self.links.discard(link)
            link.close()

    def _strike_if_planned(self, way: Way) -> None:
        planned = self._planned
        if planned is None or planned.way is not way:
            return
        planned.left -= 1
        if not planned.left:
            self._planned = None
            planned.order()
            planned.struck.set()

    async def _pump(
        self, link: Link, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            data = await reader.read(_CHUNK)
            if data:
                self._strike_if_planned(way)
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._gates[way].wait()
            if link.is_forgotten:
                if way is Way.DOWN:
                    return  # the client does not hear that its connection has ended
                if data:
                    continue
                await asyncio.Event().wait()  # nor the server that the client has gone
            if not data:
                with suppress(OSError):
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()


def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    its_socket: socket.socket | None = writer.get_extra_info("socket")
    if its_socket is not None and its_socket.fileno() >= 0:
        its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
