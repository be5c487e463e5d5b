"""The PostgreSQL store: sessions, claims and wishes in a schema of its own.

Connection mode: a session is its advisory lock on our one connection. Whoever finds the lock free may end it,
so a session whose connection is lost delivers nothing until its lock is taken again and its row is not over.
Where the server sees us at another address than ours, it is its beat, as in pooler mode.
Pooler mode: a session is its beat, on the server's clock. It opens nothing before its first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

from onepoller.coordination.errors import SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId, Term, boot_clock, new_session_id
from onepoller.coordination.stores.engine import Address, Aftermath
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.postgresql import rows, schema
from onepoller.coordination.stores.postgresql.line import Line
from onepoller.coordination.stores.postgresql.link import WRITE_LIMIT, Link
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
CLOSE_LIMIT = 1.0


class PostgreSQLStore:
    """Sessions, claims and wishes in a database. Raises SettingsError here where it can be known here."""

    def __init__(self, address: Address, *, lease: float = 10.0, slow_look: float | None = None) -> None:
        self._lease = Lease.of(lease)
        self._names = Names(address.prefix)
        self._target = Target.of(address, lease=lease)
        self._slow_look = slow_look or (POOLED_LOOK if self._target.is_pooled else SLOW_LOOK)
        self._limit = min(2.0, lease / 4)
        self._line = Line(self._target, self._names, limit=self._limit)
        self._last: PostgreSQLSession | None = None
        """Our session before the one that is open."""
        self._aftermath: Aftermath | None = None

    def __repr__(self) -> str:
        return f"<PostgreSQLStore {self._target.shown} {len(self._line.sessions)} own sessions>"

    def __str__(self) -> str:
        return self._target.shown

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on; the schema is made where there is none."""
        self._line.opening += 1
        try:
            own = await self._entered(identity)
            self._line.sessions[own.id] = own
            self._note_loss(own)
        except SchemaGone:
            raise StoreUnavailable(f"{self._target.shown}: the schema was removed at this moment.") from None
        finally:
            self._line.opening -= 1
            if not self._line.sessions and not self._line.opening:
                self._line.drop()
        return own

    async def _entered(self, identity: Identity) -> PostgreSQLSession:
        session_id = new_session_id()
        link = await self._line.link()
        await schema.ready(link, self._names, shown=self._target.shown)
        await self._line.listen(link, session_id)
        sent_at = boot_clock()
        (done,) = await link.ask(
            "SELECT {s}.enter($1, $2, $3, $4) AS begun",
            session_id,
            identity_text(identity),
            self._lease.seconds,
            lock_key(session_id) if link.is_direct else None,
            limit=WRITE_LIMIT,
        )
        if done["begun"] is None:
            raise SchemaGone
        begun = Term(done["begun"])
        own = PostgreSQLSession(session_id, lease=self._lease, sent_at=sent_at, link=link, begun=begun)
        if not link.is_open:
            own.lose_link()
        return own

    def _note_loss(self, own: PostgreSQLSession) -> None:
        """Whether the data that our last session lived in are gone."""
        last, self._last = self._last, own
        if last is not None and last.begun != own.begun:
            lease = self._lease.seconds
            self._aftermath = Aftermath.of(last, floor=own.begun, lease=lease, now=boot_clock())

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody is woken. Idempotent."""
        own = self._line.sessions.get(session.id)
        if own is None:
            return
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                link = await self._line.link()
                await link.ask("SELECT {s}.leave($1)", own.id, limit=CLOSE_LIMIT)
        except (TimeoutError, StoreUnavailable, SetupError, SchemaGone):
            pass  # the lock, which is free in a moment, or the lease says as much
        finally:
            own.give_up()
            self._line.over(own)
            self._line.sessions.pop(own.id, None)
            watch = self._line.watches.pop(own.id, None)
            if watch is not None:
                await watch.stop()
            await self._line.hang_up()

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:  # noqa: ARG002  # every beat confirms
        """Say that the session lives, proved on the server, and move its deadline."""
        own = self._own(session)
        with self._line.ending(own):
            link = await self._line.proved(own)
            due = report if own.reports.is_due(report, boot_clock()) else None
            pid = await link.within(self._beat(link, own, due), self._limit)
            self._line.check(own, link, pid)

    async def _beat(self, link: Link, own: PostgreSQLSession, report: bytes | None) -> int | None:
        """Its answer counts also when it comes late."""
        sent_at = boot_clock()
        (done,) = await link.answer("SELECT {s}.beat($1, $2) AS pid", own.id, report)
        pid: int | None = done["pid"]
        if pid is not None and link.pid in (0, pid) and own.link is link:
            own.beaten(sent_at)
            if report is not None:
                own.reports.written(report, sent_at)
        return pid

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all; reports only with all. Creates nothing."""
        wanted = None if bots is None else list(bots)
        try:
            link = await self._line.link()
            if not self._line.sessions:
                version = await schema.version(link)
                if not schema.is_up_to_date(version, self._target.shown):
                    return rows.snapshot_of((), bots)
            return await link.within(self._read(link, wanted), WRITE_LIMIT)
        except SchemaGone:
            return rows.snapshot_of((), bots)
        except StoreUnavailable:
            self._line.drop_if_late()
            raise
        finally:
            await self._line.hang_up()

    async def _read(self, link: Link, bots: list[BotId] | None) -> Snapshot:
        found = await link.answer(rows.READ, bots, list(self._line.sessions))
        snapshot = rows.snapshot_of(found, bots)
        for own in self._line.sessions.values():
            own.seen(snapshot.claims.values())
        after = self._aftermath
        return after.shown(snapshot) if after is not None and boot_clock() < after.until else snapshot

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one call; each claim only if its version is the expected one."""
        own = self._own(session)
        arguments = rows.arguments_of(own.id, self._line.sessions, batch)
        with self._line.ending(own):
            link = await self._line.proved(own)
            (done,) = await link.ask(rows.SWAP, *arguments, limit=WRITE_LIMIT)
            _check_alive(own, is_alive=done["is_alive"])
        written = rows.written_of(batch.swaps, done["written"], done["written_terms"])
        for ours in self._line.sessions.values():
            ours.seen(written.values())
        return Swapped(written=written)

    async def end(self, session: Session, dead: SessionId) -> None:
        """Mark another session over. See `EngineStore`."""
        own = self._own(session)
        with self._line.ending(own):
            link = await self._line.proved(own)
            (done,) = await link.ask("SELECT {s}.finish($1, $2) AS is_alive", own.id, dead, limit=WRITE_LIMIT)
            _check_alive(own, is_alive=done["is_alive"])

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield at once, when woken, when a session ends, and at a slow look that found something."""
        own = self._line.sessions.get(session.id)
        if own is None or own.is_over:
            return
        watch = Watch(
            own,
            look=lambda: self._look(own),
            slow_look=self._slow_look,
            again_at=self._aftermath.until if self._aftermath is not None else 0.0,
            begin_ring=None if self._target.is_pooled else self._ring,
        )
        self._line.watches[own.id] = watch
        try:
            async for change in watch.run():
                yield change
        finally:
            if self._line.watches.get(own.id) is watch:
                del self._line.watches[own.id]
            await watch.stop()

    async def _look(self, own: PostgreSQLSession) -> Any:
        try:
            return await self._looked(own)
        except StoreUnavailable:
            if not await self._line.has_ended_unheard():
                raise
        return await self._looked(own)

    async def _looked(self, own: PostgreSQLSession) -> Any:
        with self._line.ending(own):
            link = await self._line.proved(own)
            found = await link.ask(LOOK, list(self._line.sessions), limit=self._limit)
            if not found:
                raise SchemaGone
            return found[0]

    def _ring(self, watch: Watch) -> Ring:
        return Ring(
            watch.session.id,
            lease=self._lease.seconds,
            connect=lambda: Link.open(self._target, self._names),
            cancel=self._line.cancel,
            rehearse=lambda: self._rehearse(watch.session),
            silent=watch.silent,
        )

    async def _rehearse(self, own: PostgreSQLSession) -> None:
        """A takeover that writes nothing: the first on a connection is prepared, which takes 20 ms."""
        if own.rehearsed_on is not own.link:
            nothing = Claim(bot_id=BotId(0), version=-1)
            await self.swap(own, Batch(swaps=[Swap(claim=nothing, requires_over=own.id)]))
            own.rehearsed_on = own.link

    def _own(self, session: Session) -> PostgreSQLSession:
        own = self._line.sessions.get(session.id)
        if own is None or own.is_over:
            raise SessionOver(f"Session {session.id} is over; open a new one.")
        return own


def _check_alive(own: PostgreSQLSession, *, is_alive: bool) -> None:
    if not is_alive:
        raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")
