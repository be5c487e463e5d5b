"""One connection to the server: statements one after the other, each with a limit in time.

What takes too long is waited for no longer, but not cancelled: the connection may hold our lock, and an
answer that comes late still counts. Whoever gives up on the connection drops it.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from ipaddress import ip_address
from typing import Any, TypeVar

import asyncpg

from onepoller.coordination.errors import StoreUnavailable, StoreUnfit
from onepoller.coordination.identity import boot_clock
from onepoller.coordination.stores.postgresql import fork, troubles
from onepoller.coordination.stores.postgresql.names import Names
from onepoller.coordination.stores.postgresql.target import Target

CONNECT_LIMIT = 2.0
WRITE_LIMIT = 5.0
"""Seconds for a batch or a large read; a beat has a quarter of the lease, at most 2."""
OLDEST = 14
"""The first PostgreSQL with idle_session_timeout."""

_FRESH = 0.95
"""A connection that was not used for this part of a lease is not used any more."""

_CLOSED = getattr(select, "POLLRDHUP", 0)
"""Without it (another platform) a reset is still seen."""

_T = TypeVar("_T")

_SEEN = "SELECT pg_backend_pid() AS pid, host(inet_client_addr()) AS host, inet_client_port() AS port"
_SET_UP = """
SELECT set_config('idle_session_timeout', $1, false),
    set_config('idle_in_transaction_session_timeout', $1, false),
    set_config('statement_timeout', $2, false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('tcp_user_timeout', $2, false),
    set_config('tcp_keepalives_idle', $3, false),
    set_config('tcp_keepalives_interval', '1', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)
"""
"""The server's side of the lease. None of it may end the connection before a lease of silence has passed."""


class Link:
    """An open connection. `lost` is called once, in its loop, when it is closed by anybody but us."""

    def __init__(self, connection: Any, target: Target, names: Names) -> None:
        self.pid = 0
        """Of the server's process, where a connection is one."""
        self.is_direct = False
        """Whether the server sees it end when we do: nothing lies between that keeps two ends of its own."""
        self._connection = connection
        self._socket = connection._transport.get_extra_info("socket")  # noqa: SLF001  # the client names it nowhere else
        self._descriptor = self._socket.fileno()
        self._target = target
        self._names = names
        self._turn = asyncio.Lock()
        self._used_at = boot_clock()

    @classmethod
    async def open(cls, target: Target, names: Names, *, lost: Callable[[Link], None] | None = None) -> Link:
        """Connect. Raises StoreUnavailable, StoreUnfit."""
        with troubles.ours(target.shown, names.schema):
            connection = await asyncpg.connect(
                **target.arguments,
                timeout=CONNECT_LIMIT,
                statement_cache_size=0 if target.is_pooled else 100,
                server_settings={"application_name": "onepoller"},
            )
            link = cls(connection, target, names)
            fork.note(connection, link._descriptor)
            if lost is not None:
                connection.add_termination_listener(lambda _: lost(link))
            try:
                await link._set_up()
            except BaseException:
                link.drop()
                raise
        return link

    async def _set_up(self) -> None:
        if self._target.is_pooled:
            return
        shown = self._target.shown
        version = self._connection.get_server_version()
        if version.major < OLDEST:
            raise StoreUnfit(
                f"{shown} is PostgreSQL {version.major}, which cannot end a silent connection: use {OLDEST}"
                " or later, or add ?mode=pooler to the URL."
            )
        seen = await self._connection.fetchrow(_SEEN)
        self.pid = seen["pid"]
        if self.pid != self._connection.get_server_pid():
            raise StoreUnfit(troubles.POOLER.format(shown=shown))
        self.is_direct = self._target.is_trusted or is_seen_as(
            self._socket.getsockname(), host=seen["host"], port=seen["port"]
        )
        lease = self._target.lease
        milliseconds = str(int(lease * 1000))
        limit = str(int(max(lease, WRITE_LIMIT) * 1000))
        await self._connection.execute(_literal(_SET_UP, milliseconds, limit, str(max(1, int(lease)))))

    @property
    def is_open(self) -> bool:
        """As far as we know: the server ends one that was silent for a lease, and may be doing so now."""
        is_fresh = self._target.is_pooled or boot_clock() < self._used_at + _FRESH * self._target.lease
        return is_fresh and not self._connection.is_closed()

    def is_cut(self) -> bool:
        """Whether the other side has closed it, also where our loop has not got round to it. Any thread."""
        if self._connection.is_closed():
            return True
        poll = select.poll()
        poll.register(self._descriptor, _CLOSED)
        return bool(poll.poll(0))

    async def ask(self, statement: str, *arguments: Any, limit: float) -> list[Any]:
        """The rows of one statement, in a transaction of its own."""
        return await self.within(self.answer(statement, *arguments), limit)

    async def within(self, work: Awaitable[_T], limit: float) -> _T:
        """The outcome of work on this connection, unless it takes longer. Raises our errors, SchemaGone."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(_look_at)
        done, _ = await asyncio.wait({task}, timeout=limit)
        if not done:
            raise StoreUnavailable(f"{self._target.shown} did not answer within {limit:g} s.")
        with self.trouble():
            return task.result()

    def trouble(self) -> AbstractContextManager[None]:
        """Turn the client's errors into ours."""
        return troubles.ours(self._target.shown, self._names.schema)

    async def answer(self, statement: str, *arguments: Any) -> list[Any]:
        """As `ask`, however long it takes; raises what the client raises."""
        async with self._turn, self._pinned():
            sent_at = boot_clock()
            rows: list[Any] = await self._connection.fetch(self._names.written(statement), *arguments)
            self._used_at = sent_at
        return rows

    def _pinned(self) -> AbstractAsyncContextManager[Any]:
        """Behind a pooler only a transaction keeps to one connection of the server."""
        if self._target.is_pooled:
            transaction: AbstractAsyncContextManager[Any] = self._connection.transaction(
                isolation="read_committed"
            )
            return transaction
        return nullcontext()

    async def script(self, statements: Callable[[Any], Awaitable[None]]) -> None:
        """Run several statements in one transaction; however long it takes."""
        async with self._turn, self._connection.transaction(isolation="read_committed"):
            await statements(self._connection)

    async def listen(self, channel: str, heard: Callable[[str], None], *, limit: float) -> None:
        """Call with what is said there from now on."""

        async def listen() -> None:
            async with self._turn:
                await self._connection.add_listener(channel, lambda *said: heard(said[-1]))

        await self.within(listen(), limit)

    async def close(self, *, limit: float = 1.0) -> None:
        """Say goodbye."""
        try:
            await self._connection.close(timeout=limit)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self.drop()

    def drop(self) -> None:
        """Close it without a word; what waits for it fails."""
        self._connection.terminate()


def is_seen_as(own: Any, *, host: str | None, port: int | None) -> bool:
    """Whether the server sees a connection come from our own end of it.

    If not, something lies between (a proxy, a balancer, an address translation) that may tell the server of
    an end and us of none. `own`: the name of our socket; `host`, `port`: what the server sees, None of a
    Unix socket.
    """
    if host is None:
        return not isinstance(own, tuple)
    return isinstance(own, tuple) and own[1] == port and _address(own[0]) == _address(host)


def _address(text: str) -> object:
    """An address without its zone, and an IPv4 one also where it is written as IPv6."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _literal(statement: str, *values: str) -> str:
    """A statement with these numbers in it: one that is not prepared needs no second round trip."""
    for number, value in enumerate(values, start=1):
        statement = statement.replace(f"${number}", f"'{value}'")
    return statement


def _look_at(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
