"""The PostgreSQL store: sessions, claims and wishes in a schema of its own.

Connection mode: a session is its advisory lock on our one connection. Whoever finds the lock free may end it,
so a session whose connection is lost delivers nothing until its lock is taken again and its row is not over.
Pooler mode: a session is its beat, on the server's clock. It opens nothing before its first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from onepoller.coordination.errors import SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId, boot_clock, new_session_id
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.postgresql import rows, schema, troubles
from onepoller.coordination.stores.postgresql.link import Link
from onepoller.coordination.stores.postgresql.names import Names, lock_key
from onepoller.coordination.stores.postgresql.ring import Ring
from onepoller.coordination.stores.postgresql.session import PostgreSQLSession
from onepoller.coordination.stores.postgresql.target import Target
from onepoller.coordination.stores.postgresql.troubles import SchemaGone
from onepoller.coordination.stores.postgresql.watch import LOOK, Watch
from onepoller.coordination.stores.records import identity_text
from onepoller.coordination.stores.seam import Batch, Change, Claim, Session, Snapshot, Swap, Swapped

SLOW_LOOK = 1.0
POOLED_LOOK = 0.2
"""Behind a pooler nobody can call us."""
WRITE_LIMIT = 5.0
"""Seconds for a batch or a large read; a beat has a quarter of the lease, at most 2."""
CLOSE_LIMIT = 1.0


class PostgreSQLStore:
    """Sessions, claims and wishes in a database. Raises SettingsError here where it can be known here."""

    def __init__(self, address: Address, *, lease: float = 10.0, slow_look: float | None = None) -> None:
        self._lease = Lease.of(lease)
        self._names = Names(address.prefix)
        self._target = Target.of(address, lease=lease)
        self._slow_look = slow_look or (POOLED_LOOK if self._target.is_pooled else SLOW_LOOK)
        self._limit = min(2.0, lease / 4)
        self._sessions: dict[SessionId, PostgreSQLSession] = {}
        self._watches: dict[SessionId, Watch] = {}
        self._link: Link | None = None
        self._linking = asyncio.Lock()
        self._proving = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<PostgreSQLStore {self._target.shown} {len(self._sessions)} own sessions>"

    def __str__(self) -> str:
        return self._target.shown

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on; the schema is made where there is none."""
        session_id = new_session_id()
        key = None if self._target.is_pooled else lock_key(session_id)
        try:
            link = await self._linked()
            await schema.ready(link, self._names, shown=self._target.shown)
            await self._listen(link, session_id)
            sent_at = boot_clock()
            await link.ask(
                "SELECT {s}.enter($1, $2, $3, $4)",
                session_id,
                identity_text(identity),
                self._lease.seconds,
                key,
                limit=WRITE_LIMIT,
            )
        except SchemaGone:
            self._drop_if_unused()
            raise StoreUnavailable(f"{self._target.shown}: the schema was removed at this moment.") from None
        except BaseException:
            self._drop_if_unused()
            raise
        own = PostgreSQLSession(session_id, lease=self._lease, sent_at=sent_at, link=link)
        self._sessions[session_id] = own
        return own

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody is woken. Idempotent."""
        own = self._sessions.get(session.id)
        if own is None:
            return
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                link = await self._linked()
                await link.ask("SELECT {s}.leave($1)", own.id, limit=CLOSE_LIMIT)
        except (TimeoutError, StoreUnavailable, SetupError, SchemaGone):
            pass  # the lock, which is free in a moment, or the lease says as much
        finally:
            await self._forget(own)

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:  # noqa: ARG002  # every beat confirms
        """Say that the session lives, proved on the server, and move its deadline."""
        own = self._own(session)
        with self._ending(own):
            link = await self._proved(own)
            await link.within(self._beat(link, own, own.report_to_send(report)), self._limit)
            if own.is_over:
                raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")
            if own.link is None:
                raise StoreUnavailable(troubles.POOLER.format(shown=self._target.shown))

    async def _beat(self, link: Link, own: PostgreSQLSession, report: bytes | None) -> None:
        """Its answer counts also when it comes late."""
        sent_at = boot_clock()
        pid = (await link.answer("SELECT {s}.beat($1, $2) AS pid", own.id, report))[0]["pid"]
        if pid is None:
            own.end()
        elif link.pid not in (0, pid):
            own.doubt()  # another process of the server answered: a lock on this connection is not ours
        elif own.link is link:
            own.beaten(sent_at)
            own.reported(report)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all; reports only with all. Creates nothing."""
        names = list(self._sessions)
        wanted = None if bots is None else list(bots)
        try:
            link = await self._linked()
            if not names and not schema.is_up_to_date(await schema.version(link), self._target.shown):
                return rows.snapshot_of((), bots)
            return await link.within(self._read(link, wanted, names), WRITE_LIMIT)
        except SchemaGone:
            return rows.snapshot_of((), bots)
        except StoreUnavailable:
            self._drop_if_late()
            raise
        finally:
            if not self._sessions:
                await self._disconnect()

    async def _read(self, link: Link, bots: list[BotId] | None, own: list[SessionId]) -> Snapshot:
        snapshot = rows.snapshot_of(await link.answer(rows.READ, bots, own), bots)
        for session in self._sessions.values():
            session.seen(snapshot.claims.values())
        return snapshot

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one call; each claim only if its version is the expected one."""
        own = self._own(session)
        arguments = rows.arguments_of(own.id, self._sessions, batch)
        with self._ending(own):
            link = await self._proved(own)
            (done,) = await link.ask(rows.SWAP, *arguments, limit=WRITE_LIMIT)
            if not done["is_alive"]:
                raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")
        written = rows.written_of(batch.swaps, done["written"], done["written_terms"])
        for session_of_ours in self._sessions.values():
            session_of_ours.seen(written.values())
        return Swapped(written=written)

    async def end(self, session: Session, dead: SessionId) -> None:
        """Mark another session over. See `EngineStore`."""
        own = self._own(session)
        with self._ending(own):
            link = await self._proved(own)
            (done,) = await link.ask("SELECT {s}.finish($1, $2) AS is_alive", own.id, dead, limit=WRITE_LIMIT)
            if not done["is_alive"]:
                raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield at once, when woken, when a session ends, and at a slow look that found something."""
        own = self._sessions.get(session.id)
        if own is None or own.is_over:
            return
        watch = Watch(
            own,
            look=lambda: self._look(own),
            slow_look=self._slow_look,
            begin_ring=None if self._target.is_pooled else self._ring,
        )
        self._watches[own.id] = watch
        try:
            async for change in watch.run():
                yield change
        finally:
            if self._watches.get(own.id) is watch:
                del self._watches[own.id]
            await watch.stop()

    def _ring(self, watch: Watch) -> Ring:
        return Ring(
            watch.session.id,
            lease=self._lease.seconds,
            connect=lambda: Link.open(self._target, self._names),
            cancel=self._cancel,
            rehearse=lambda: self._rehearse(watch.session),
            silent=watch.silent,
        )

    async def _rehearse(self, own: PostgreSQLSession) -> None:
        """A takeover that writes nothing: the first on a connection is prepared, which takes 20 ms."""
        if own.rehearsed_on is not own.link:
            nothing = Claim(bot_id=BotId(0), version=-1)
            await self.swap(own, Batch(swaps=[Swap(claim=nothing, requires_over=own.id)]))
            own.rehearsed_on = own.link

    async def _cancel(self, pid: int) -> None:
        """End the statement that another connection of ours is waiting in."""
        if self._link is not None and self._link.is_open:
            await self._link.ask("SELECT pg_cancel_backend($1)", pid, limit=self._limit)

    async def _look(self, own: PostgreSQLSession) -> Any:
        with self._ending(own):
            link = await self._proved(own)
            (row,) = await link.ask(LOOK, list(self._sessions), limit=self._limit)
            return row

    # The connection

    async def _linked(self) -> Link:
        """The connection, opened where it is not."""
        async with self._linking:
            if self._link is None or not self._link.is_open:
                self._drop()
                link = await Link.open(self._target, self._names, lost=self._lost)
                self._link = link
                if not self._target.is_pooled:
                    await link.listen(self._names.channel, self._heard_by_all, limit=self._limit)
            return self._link

    async def _proved(self, own: PostgreSQLSession) -> Link:
        """The connection, on which this session holds its lock, and is not over."""
        link = await self._linked()
        if own.link is link:
            return link
        async with self._proving:
            if own.link is not link and self._target.is_pooled:
                own.link = link
            elif own.link is not link:
                await self._listen(link, own.id)
                sent_at = boot_clock()
                statement = "SELECT {s}.resume($1, $2) AS pid"
                (done,) = await link.ask(statement, own.id, lock_key(own.id), limit=self._limit)
                if done["pid"] is None:
                    raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")
                own.link = link
                own.beaten(sent_at)
        return link

    async def _listen(self, link: Link, session_id: SessionId) -> None:
        if not self._target.is_pooled:
            await link.listen(
                self._names.channel_of(session_id),
                lambda payload: self._heard(session_id, payload),
                limit=self._limit,
            )

    def _heard(self, session_id: SessionId, payload: str) -> None:
        if session_id in self._watches:
            self._watches[session_id].heard(payload)

    def _heard_by_all(self, payload: str) -> None:
        for watch in self._watches.values():
            watch.heard(payload)

    def _lost(self, link: Link) -> None:
        """The connection is gone: others may find our locks free."""
        for own in self._sessions.values():
            if own.link is link:
                own.link = None
                if not self._target.is_pooled:
                    own.doubt()
                if own.id in self._watches:
                    self._watches[own.id].lost()

    def _drop_if_late(self) -> None:
        """Give up a connection that has not answered for so long that it holds nothing any more."""
        now = boot_clock()
        is_late = all(own.deadline <= now for own in self._sessions.values())
        if self._target.is_pooled or is_late:
            self._drop()

    def _drop_if_unused(self) -> None:
        if not self._sessions:
            self._drop()

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.drop()
            self._lost(link)

    async def _disconnect(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    # Our sessions

    def _own(self, session: Session) -> PostgreSQLSession:
        own = self._sessions.get(session.id)
        if own is None or own.is_over:
            raise SessionOver(f"Session {session.id} is over; open a new one.")
        return own

    @contextmanager
    def _ending(self, own: PostgreSQLSession) -> Iterator[None]:
        """Note that a session turns out to be over; nothing but trouble or that is raised to its loops."""
        try:
            yield
        except SessionOver:
            self._over(own)
            raise
        except SchemaGone:
            self._over(own)
            raise SessionOver(f"Session {own.id} is gone with the schema; open a new one.") from None
        except StoreUnavailable:
            self._drop_if_late()
            raise
        except SetupError as error:
            raise StoreUnavailable(str(error)) from None

    def _over(self, own: PostgreSQLSession) -> None:
        own.end()
        if own.id in self._watches:
            self._watches[own.id].ended()

    async def _forget(self, own: PostgreSQLSession) -> None:
        self._over(own)
        self._sessions.pop(own.id, None)
        watch = self._watches.pop(own.id, None)
        if watch is not None:
            await watch.stop()
        if not self._sessions:
            await self._disconnect()
