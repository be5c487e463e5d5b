"""Hearing of a death at once: each process waits for the lock of one other, its neighbour in a ring.

A second connection stands in the queue for the neighbour's lock. When it gets it, the neighbour's connection
is gone, and the server tells everybody; then it is the next one's turn. So there is one such connection for
each process, however many there are, and one that notices each death. The wait is begun anew each second: as
long as a statement runs, the server's vacuum keeps what it could see; and a wait for a lock that takes longer
than `deadlock_timeout` is searched for deadlocks, and logged where `log_lock_waits` is on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from onepoller.coordination.errors import OnepollerError
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.postgresql.link import Link
from onepoller.coordination.stores.postgresql.names import lock_key
from onepoller.coordination.stores.postgresql.troubles import SchemaGone

_NEIGHBOUR = """
SELECT s.id FROM {s}.sessions s
WHERE s.id <> $1 AND NOT s.is_over AND s.lock_key IS NOT NULL AND s.id <> ALL ($2)
ORDER BY s.id < $1 DESC, s.id DESC LIMIT 1
"""
_AWAIT = "SELECT {s}.await_silence($1, $2, $3) AS found"
_LIMIT = 3.0
_LONGEST = 0.9
"""Seconds of one wait, however long a lease is: less than the usual `deadlock_timeout`."""
_BRIEFLY = 0.001
"""Seconds of a wait for a lock that is free."""
_TAKING = 0.02
"""Seconds until the next neighbour is looked for after a death: not in the way of who takes over."""
_AGAIN = 1.0
"""Seconds until the next try, where the connection was lost."""


class Ring:
    """The wait of one session for its neighbour."""

    def __init__(
        self,
        own: SessionId,
        *,
        lease: float,
        connect: Callable[[], Awaitable[Link]],
        cancel: Callable[[int], Awaitable[None]],
        rehearse: Callable[[], Awaitable[None]],
        silent: Callable[[SessionId], None],
    ) -> None:
        self._own = own
        self._wait = min(0.9 * lease, _LONGEST)
        self._connect = connect
        self._cancel = cancel
        self._rehearse = rehearse
        self._silent = silent
        self._neighbour: SessionId | None = None
        self._passed: set[SessionId] = set()
        """Those whose locks are free; they are passed over, until they come again."""
        self._moved = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    def began(self, session: SessionId) -> None:
        """A session has come (again): perhaps it stands between us and our neighbour."""
        self._passed.discard(session)
        if session != self._own and (self._neighbour is None or self._is_nearer(session)):
            self._moved.set()

    def missed(self) -> None:
        """We may not have heard who came."""
        self._moved.set()

    async def stop(self) -> None:
        """Wait no more."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def _is_nearer(self, session: SessionId) -> bool:
        """In the order of `_NEIGHBOUR`."""
        assert self._neighbour is not None
        return (session < self._own, session) > (self._neighbour < self._own, self._neighbour)

    async def _run(self) -> None:
        while True:
            try:
                await self._stand()
                await self._moved.wait()
            except (OnepollerError, SchemaGone):
                self._neighbour = None
                await asyncio.sleep(_AGAIN)

    async def _stand(self) -> None:
        """Wait for one neighbour after the other, on a connection of our own, while there is one."""
        link = await self._connect()
        try:
            while await self._turn(link):
                continue
        finally:
            link.drop()

    async def _turn(self, link: Link) -> bool:
        """Wait for one neighbour for a while, or until it is silent or a nearer one comes."""
        if self._neighbour is None or self._moved.is_set():
            self._moved.clear()
            rows = await link.ask(_NEIGHBOUR, self._own, list(self._passed), limit=_LIMIT)
            if not rows:
                self._neighbour = None
                return False
            self._neighbour = SessionId(rows[0]["id"])
            await self._rehearse()
            # What it does once it has the lock is prepared, too, by a lock that nobody has.
            await link.ask(_AWAIT, self._own, ~lock_key(self._own), _BRIEFLY, limit=_LIMIT)
        neighbour = self._neighbour
        statement = link.answer(_AWAIT, neighbour, lock_key(neighbour), self._wait)
        waiting = asyncio.ensure_future(link.within(statement, self._wait + _LIMIT))
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait({waiting, moved}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await self._cancel(link.pid)
            found = (await waiting)[0]["found"]
            if found != "held":
                self._passed.add(neighbour)
                self._neighbour = None
            if found == "silent":
                self._silent(neighbour)
                await asyncio.sleep(_TAKING)
            return True
        finally:
            waiting.cancel()
            moved.cancel()
