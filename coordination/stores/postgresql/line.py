"""Our line to the server: one connection after the other, and the sessions that are proved on it.

A session that holds a lock is in doubt from the moment on when its connection is lost. On the next connection
it is proved again: its lock is taken, and its row must not be over. It is never given a new life.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from onepoller.coordination.errors import SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.identity import SessionId, boot_clock
from onepoller.coordination.stores.postgresql import troubles
from onepoller.coordination.stores.postgresql.link import Link
from onepoller.coordination.stores.postgresql.names import Names, lock_key
from onepoller.coordination.stores.postgresql.session import PostgreSQLSession
from onepoller.coordination.stores.postgresql.target import Target
from onepoller.coordination.stores.postgresql.troubles import SchemaGone
from onepoller.coordination.stores.postgresql.watch import Watch

_IS_THERE = "SELECT FROM pg_stat_activity WHERE pid = $1"
"""Nothing of our schema is touched: a lock on our tables does not keep us from knowing."""
_log = logging.getLogger("onepoller")


class Line:
    """The connection of one store object."""

    def __init__(self, target: Target, names: Names, *, limit: float) -> None:
        self.sessions: dict[SessionId, PostgreSQLSession] = {}
        self.watches: dict[SessionId, Watch] = {}
        self.opening = 0
        """So many sessions are being opened: the connection is in use without any."""
        self._target = target
        self._names = names
        self._limit = limit
        self._link: Link | None = None
        self._is_told = False
        self._linking = asyncio.Lock()
        self._proving = asyncio.Lock()

    async def link(self) -> Link:
        """The connection, opened where it is not. Raises StoreUnavailable, StoreUnfit."""
        async with self._linking:
            if self._link is None or not self._link.is_open:
                self.drop()
                self._link = await self._connected()
            return self._link

    async def _connected(self) -> Link:
        link = await Link.open(self._target, self._names, lost=self._lost)
        if not self._target.is_pooled:
            try:
                await link.listen(self._names.channel, self._heard_by_all, limit=self._limit)
            except BaseException:
                link.drop()
                raise
            self._tell_way(link)
        return link

    def _tell_way(self, link: Link) -> None:
        if not (link.is_direct or self._is_told):
            self._is_told = True
            _log.info(
                "onepoller: %s sees us at another address than ours. What lies between may end a connection"
                " unheard, so a death is followed after the lease, not at once; ?mode=connection trusts it.",
                self._target.shown,
            )

    async def proved(self, own: PostgreSQLSession) -> Link:
        """The connection, on which this session holds its lock, and is not over. Raises SessionOver."""
        link = await self.link()
        async with self._proving:
            if own.link is not link:
                await self.listen(link, own.id)
                if own.is_locked:
                    await self._prove(own, link)
                own.link = link
        return link

    async def _prove(self, own: PostgreSQLSession, link: Link) -> None:
        if not link.is_direct:
            raise SessionOver(f"Session {own.id} has lost its way to the server; open a new one.")
        sent_at = boot_clock()
        resume = "SELECT {s}.resume($1, $2) AS pid"
        (done,) = await link.ask(resume, own.id, lock_key(own.id), limit=self._limit)
        self.check(own, link, done["pid"])
        if not link.is_open:
            raise StoreUnavailable(f"{self._target.shown} ended the connection again.")
        own.beaten(sent_at)

    def check(self, own: PostgreSQLSession, link: Link, pid: int | None) -> None:
        """Who answered for a session: none means that it is over, another one that there is a pooler."""
        if pid is None:
            raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")
        if link.pid not in (0, pid):
            own.lose_link()
            raise StoreUnavailable(troubles.POOLER.format(shown=self._target.shown))

    async def has_ended_unheard(self) -> bool:
        """Whether the server has our connection no more, which another one tells; then it is dropped.

        Where the network kept the end from us, on the connection itself nothing is ever heard of it.
        """
        link = self._link
        if link is None or not link.pid:
            return False
        try:
            other = await Link.open(self._target, self._names)
        except (StoreUnavailable, SetupError):
            return False
        try:
            is_there = await other.ask(_IS_THERE, link.pid, limit=self._limit)
        except StoreUnavailable:
            return False
        finally:
            other.drop()
        if is_there or self._link is not link:
            return False
        self.drop()
        return True

    async def cancel(self, pid: int) -> None:
        """End the statement that another connection of ours is waiting in."""
        link = await self.link()
        await link.ask("SELECT pg_cancel_backend($1)", pid, limit=self._limit)

    # What is heard

    async def listen(self, link: Link, session_id: SessionId) -> None:
        """Hear who wakes this session."""
        if not self._target.is_pooled:
            await link.listen(
                self._names.channel_of(session_id),
                lambda payload: self._heard(session_id, payload),
                limit=self._limit,
            )

    def _heard(self, session_id: SessionId, payload: str) -> None:
        if session_id in self.watches:
            self.watches[session_id].heard(payload)

    def _heard_by_all(self, payload: str) -> None:
        for watch in self.watches.values():
            watch.heard(payload)

    # What is lost

    def _lost(self, link: Link) -> None:
        """The connection is gone: others may find our locks free."""
        for own in self.sessions.values():
            if own.link is link:
                own.lose_link()
                if own.id in self.watches:
                    self.watches[own.id].lost()

    def drop(self) -> None:
        """Give the connection up, without a word."""
        link, self._link = self._link, None
        if link is not None:
            link.drop()
            self._lost(link)

    def drop_if_late(self) -> None:
        """Give up a connection that has not answered for so long that it holds nothing any more."""
        now = boot_clock()
        if self._target.is_pooled or all(own.deadline <= now for own in self.sessions.values()):
            self.drop()

    async def hang_up(self) -> None:
        """Close the connection in good order, unless somebody needs it."""
        if self.sessions or self.opening:
            return
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    @contextmanager
    def ending(self, own: PostgreSQLSession) -> Iterator[None]:
        """Note that a session turns out to be over; its loops are told that, or of trouble, only."""
        try:
            yield
        except SessionOver:
            self.over(own)
            raise
        except SchemaGone:
            self.over(own)
            raise SessionOver(f"Session {own.id} is gone with the schema; open a new one.") from None
        except StoreUnavailable:
            self.drop_if_late()
            raise
        except SetupError as error:
            raise StoreUnavailable(str(error)) from None

    def over(self, own: PostgreSQLSession) -> None:
        """This session is over: whoever watches with it looks up."""
        own.end()
        if own.id in self.watches:
            self.watches[own.id].ended()
