"""The sockets of the fake: connections, one timer for all deadlines, bytes to calls and answers to bytes.

All of it runs on one event loop, so calls are processed one after another, in the order of arrival, as in the
server it stands for. Decisions are in `api` and below it.
"""

import asyncio
import ipaddress
import itertools
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from onepoller.testing.botapi import arguments, control, paths
from onepoller.testing.botapi.api import BotApi
from onepoller.testing.botapi.call import Answer, Call
from onepoller.testing.botapi.connection import Connection
from onepoller.testing.botapi.http import Request
from onepoller.testing.botapi.listening import stop_listening
from onepoller.testing.botapi.replies import Reply
from onepoller.testing.botapi.rules import FAITHFUL, Rules

IDLE_LIMIT = 500.0
SWEEP_EVERY = 25.0
BACKLOG = 4096


class Server:
    """A fake Bot API on a socket, made inside a running event loop; `stop` ends everything."""

    def __init__(self, *, rules: Rules = FAITHFUL, seed: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        started = self._loop.time()
        self.api = BotApi(
            rules=rules,
            seed=seed,
            started=started,
            epoch=time.time() - started,
            is_connected=self._is_connected,
        )
        self.url = ""
        self._connections: dict[int, Connection] = {}
        self._ids = itertools.count(1)
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._watchers: list[Watcher] = []
        self._is_stopped = False

    def __repr__(self) -> str:
        return f"<Server {self.url or 'not listening'}, {len(self._connections)} connections>"

    # -- life

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, is_public: bool = False) -> None:
        """Listen. Port 0 takes a free one; `url` says which.

        Raises:
            ValueError: the address is not this machine's loopback, and `is_public` was not said.

        """
        if not is_public and not _is_loopback(host):
            raise ValueError(
                f"The fake Bot API takes every token and obeys everybody, so it listens on the loopback only;"
                f" {host} is not there."
            )
        self._listener = await self._loop.create_server(
            lambda: Connection(self, next(self._ids)), host, port, backlog=BACKLOG
        )
        family, address = self._listener.sockets[0].family, self._listener.sockets[0].getsockname()
        shown = f"[{address[0]}]" if family is socket.AF_INET6 else address[0]
        self.url = f"http://{shown}:{address[1]}"
        self._sweep()

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        self._is_stopped = True
        for timer in (self._timer, self._sweeper):
            if timer is not None:
                timer.cancel()
        for watcher in list(self._watchers):
            watcher.fire()
        listener, self._listener = self._listener, None
        if listener is not None:
            await stop_listening(listener)
        for connection in list(self._connections.values()):
            connection.abort()
        self._connections.clear()
        if listener is not None:
            await listener.wait_closed()
            await asyncio.sleep(0)  # transports tell their protocols in the next turn

    # -- what connections tell

    def now(self) -> float:
        """Read the server's clock."""
        return self._loop.time()

    def opened(self, connection: Connection) -> None:
        """Take a connection in; not one that the loop was taking in as we stopped."""
        if self._is_stopped:
            connection.abort()
            return
        connection.idle_since = self.now()
        self._connections[connection.id] = connection

    def lost(self, connection: Connection) -> None:
        """Take note that a client has gone."""
        if self._connections.pop(connection.id, None) is not None:
            self.api.closed(connection.id, self.now())
            self.pump()

    def received(self, connection: Connection, request: Request) -> None:
        """Answer a request, or let it wait.

        Raises:
            UnreadableError: the body cannot be read.

        """
        if request.target.startswith(paths.CONTROL):
            control.receive(self, connection, request)
            return
        path = paths.parse(request.target)
        if isinstance(path, Reply):
            connection.write(path)
            return
        found = arguments.read(path.query, request.content_type, request.body)
        call = Call(
            connection=connection.id,
            token=path.token,
            method=path.method,
            arguments=found.arguments,
            files=found.files,
            poller=request.poller or path.poller or connection.peer,
            is_test=path.is_test,
        )
        self._settle(self.api.submit(call, self.now()))

    # -- what others ask

    def pump(self) -> None:
        """Send what is due and set the timer anew: to be called after every change made to `api`."""
        self._settle(self.api.advance(self.now()))

    def when_changed(self, since: int, seconds: float, action: Callable[[], None]) -> None:
        """Call an action once, as soon as the journal is beyond a version, or after so many seconds."""
        if self.api.journal.version > since or seconds <= 0:
            action()
            return
        Watcher(self._watchers, self._loop, since=since, seconds=seconds, action=action)

    def _settle(self, answers: list[Answer]) -> None:
        for answer in answers:
            connection = self._connections.get(answer.call.connection)
            if connection is None:
                continue
            if isinstance(answer.reply, Reply):
                connection.write(answer.reply)
            else:
                connection.cut(answer.reply)
        self._rearm()
        if self._watchers:
            version = self.api.journal.version
            for watcher in [watcher for watcher in self._watchers if watcher.since < version]:
                watcher.fire()

    def _rearm(self) -> None:
        wanted = self.api.next_event_at()
        timer = self._timer
        if timer is not None:
            if wanted is not None and timer.when() <= wanted:
                return  # it fires in time; firing too early costs one look
            timer.cancel()
        self._timer = None if wanted is None else self._loop.call_at(wanted, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.pump()

    def _is_connected(self, connection_id: int) -> bool:
        connection = self._connections.get(connection_id)
        return connection is not None and connection.is_connected()

    def _sweep(self) -> None:
        before = self.now() - IDLE_LIMIT
        for connection in list(self._connections.values()):
            if connection.is_idle and connection.idle_since < before:
                connection.abort()
        self._sweeper = self._loop.call_later(SWEEP_EVERY, self._sweep)


class Watcher:
    """Somebody who waits for the journal to change."""

    def __init__(
        self,
        watchers: "list[Watcher]",
        loop: asyncio.AbstractEventLoop,
        *,
        since: int,
        seconds: float,
        action: Callable[[], None],
    ) -> None:
        self.since = since
        self._watchers = watchers
        self._action = action
        self._timer = loop.call_later(seconds, self.fire)
        watchers.append(self)

    def fire(self) -> None:
        """Call the action and be done."""
        with suppress(ValueError):
            self._watchers.remove(self)
        self._timer.cancel()
        self._action()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
