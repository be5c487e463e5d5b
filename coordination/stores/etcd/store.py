"""The store on etcd: sessions behind leases, claims under versions, and the six methods of the seam.

A session is a key tied to a lease of its own: it lives as long as the key is there, and nothing makes that
key a second time. So the server ends a silent session by itself, and whoever takes its claims proves in the
same transaction that the key is gone.
"""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from onepoller.coordination.errors import SessionOver, SetupError, StoreFull, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId, boot_clock, new_session_id
from onepoller.coordination.stores.engine import Aftermath
from onepoller.coordination.stores.etcd.beginning import Beginning
from onepoller.coordination.stores.etcd.endpoints import Endpoints
from onepoller.coordination.stores.etcd.gateway import Gateway
from onepoller.coordination.stores.etcd.housekeeping import forget
from onepoller.coordination.stores.etcd.keys import Keys
from onepoller.coordination.stores.etcd.reading import Reading
from onepoller.coordination.stores.etcd.refusal import LeaseGone
from onepoller.coordination.stores.etcd.session import EtcdSession, over
from onepoller.coordination.stores.etcd.watch import Watch
from onepoller.coordination.stores.etcd.words import (
    Json,
    delete,
    delete_all,
    exists,
    put,
    txn,
    was_written_at,
)
from onepoller.coordination.stores.etcd.writing import Writing
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import Batch, Change, Claim, Session, Snapshot, Swap, Swapped

SHORTEST_LEASE = 3.0
"""Seconds. From so many on a lease is a second shorter on the server, which knows none below 2 s."""
_BEAT_LIMIT = 2.0


class EtcdStore:
    """One process's view of the claims under one prefix."""

    def __init__(self, endpoints: Endpoints, *, prefix: str, lease: float, slow_look: float = 1.0) -> None:
        self.prefix = prefix
        """What the names of its keys begin with."""
        self._lease = Lease.of(lease)
        self._beat_limit = min(_BEAT_LIMIT, lease / 4)
        self._slow_look = slow_look
        self._keys = Keys(prefix)
        self._gateway = Gateway(endpoints, prefix=prefix)
        self._beginning = Beginning(self._gateway, self._keys)
        self._reading = Reading(self._gateway, self._keys, seen=self._seen)
        self._writing = Writing(self._gateway, self._keys, written=self._wrote)
        self._sessions: dict[SessionId, EtcdSession] = {}
        self._last: EtcdSession | None = None
        """Our session before the one that is open."""
        self._aftermath: Aftermath | None = None
        self._users = 0
        """Sessions, and reads without one, that need the connections."""

    def __repr__(self) -> str:
        return f"<EtcdStore {self._gateway.shown} {len(self._sessions)} sessions>"

    # Sessions

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on."""
        self._users += 1
        try:
            session = await self._opened(identity)
        except BaseException:
            await self._leave()
            raise
        self._sessions[session.id] = session
        last, self._last = self._last, session
        if last is not None and last.floor < session.floor:
            lease = self._lease.seconds
            self._aftermath = Aftermath.of(last, floor=session.floor, lease=lease, now=boot_clock())
        return session

    async def _opened(self, identity: Identity) -> EtcdSession:
        while True:
            floor, begun_at = await self._beginning.found()
            sent_at = boot_clock()
            granted = await self._gateway.call("lease/grant", {"TTL": str(_ttl(self._lease.seconds))})
            session = EtcdSession(
                new_session_id(),
                # The server makes a short one longer. Our own deadline is by the shorter of the two.
                lease=Lease.of(min(self._lease.seconds, float(granted["TTL"]))),
                sent_at=sent_at,
                lease_id=int(granted["ID"]),
                floor=floor,
                losses=self._gateway.losses,
            )
            record = {
                "identity": asdict(identity),
                "lease": self._lease.seconds,
                "lease_id": session.lease_id,
            }
            writes = [
                put(self._keys.alive(session.id), "", lease=session.lease_id),
                put(self._keys.record(session.id), json.dumps(record)),
                self._beat_now(session),
            ]
            is_same = was_written_at(self._keys.beginning, begun_at)
            answer = await self._gateway.call("kv/txn", txn([is_same], writes))
            if answer.get("succeeded"):
                with suppress(StoreUnavailable):  # another one will do it
                    await forget(self._gateway, self._keys, self._reading)
                return session

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody who waits is woken. Idempotent."""
        own = self._sessions.pop(session.id, None)
        if own is None:
            return
        own.is_closed = True
        try:
            await self._say_goodbye(own)
        finally:
            own.end()
            await self._leave()

    async def _say_goodbye(self, own: EtcdSession) -> None:
        if own.is_over:
            return
        held = own.held
        own.give_up()
        with suppress(SessionOver, LeaseGone):
            claims = (await self._reading.snapshot(held)).claims.values() if held else ()
            freed = [
                Swap(claim=replace(claim, holder=None, heir=None, clean=False))
                for claim in claims
                if claim.holder == own.id
            ]
            with suppress(StoreFull):  # to revoke takes no space
                await self._writing.claims(own, freed)
                await self._end(own.id, if_alive=own.id)
            await self._gateway.call("lease/revoke", {"ID": str(own.lease_id)})

    async def end(self, session: Session, dead: SessionId) -> None:
        """See `EngineStore`."""
        own = self._living(session)
        known, alive = await self._reading.sessions()
        if dead not in alive:
            return
        await self._end(dead, if_alive=own.id, mark=True)
        with suppress(LeaseGone):
            await self._gateway.call("lease/revoke", {"ID": str(known[dead].record["lease_id"])})

    async def _end(self, ended: SessionId, *, if_alive: SessionId, mark: bool = False) -> None:
        """Take away what makes a session alive; everybody hears of it. `mark`: keep what is known of it."""
        rest = put(self._keys.over(ended), "") if mark else delete_all(self._keys.all_of(ended))
        operations = [
            delete(self._keys.alive(ended)),
            delete(self._keys.report(ended)),
            delete_all(self._keys.all_wishes_of(ended)),
            rest,
            put(self._keys.generation, ""),
        ]
        answer = await self._gateway.call("kv/txn", txn([exists(self._keys.alive(if_alive))], operations))
        if not answer.get("succeeded"):
            raise over(if_alive)

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:  # noqa: ARG002  # every beat proves it
        """Say that the session lives, and move its deadline: its lease is renewed, and its key is there."""
        own = self._living(session)
        sent_at = boot_clock()
        written = asyncio.ensure_future(self._write_beat(own, report))
        try:
            renewal = await self._gateway.call(
                "lease/keepalive", {"ID": str(own.lease_id)}, limit=self._beat_limit
            )
            is_there = await written
        except SetupError as error:
            raise StoreUnavailable(str(error)) from None
        finally:
            written.cancel()
        if not is_there or int(renewal["result"].get("TTL", 0)) <= 0:
            raise self._over(own)
        own.beaten(sent_at)

    async def _write_beat(self, own: EtcdSession, report: bytes) -> bool:
        now = boot_clock()
        writes = [self._beat_now(own)]
        is_due = own.reports.is_due(report, now)
        if is_due:
            writes.append(put(self._keys.report(own.id), zlib.compress(report, 1), lease=own.lease_id))
        is_there = [exists(self._keys.alive(own.id))]
        try:
            answer = await self._gateway.call("kv/txn", txn(is_there, writes), limit=self._beat_limit)
        except LeaseGone:
            return False
        except StoreFull:  # a holder goes on: to live takes no space
            answer = await self._gateway.call("kv/txn", txn(is_there, []), limit=self._beat_limit)
            is_due = False
        if is_due:
            own.reports.written(report, now)
        return bool(answer.get("succeeded"))

    def _beat_now(self, own: EtcdSession) -> Json:
        return put(self._keys.beat(own.id), f"{self._gateway.now:.0f}")

    # Claims

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all. Changes no claim, wakes nobody."""
        self._users += 1
        try:
            seen = await self._reading.snapshot(bots)
        finally:
            await self._leave()
        after = self._aftermath
        return after.shown(seen) if after is not None and boot_clock() < after.until else seen

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one call; each claim only if its version is the expected one."""
        return Swapped(written=await self._writing.write(self._living(session), batch))

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield when claims or wishes may have changed or a session may have ended."""
        own = self._sessions.get(session.id)
        if own is None:
            return
        until = self._aftermath.until if self._aftermath is not None else 0.0
        watch = Watch(own, self._gateway, self._keys, slow_look=self._slow_look, again_at=until)
        try:
            async for change in watch.run():
                yield change
        except SetupError as error:
            raise StoreUnavailable(str(error)) from None

    # What all share

    def _living(self, session: Session) -> EtcdSession:
        own = self._sessions.get(session.id)
        if own is None:
            raise over(session.id)
        if own.is_over or own.losses != self._gateway.losses:
            raise self._over(own)
        return own

    def _over(self, own: EtcdSession) -> SessionOver:
        own.end()
        return over(own.id)

    def _seen(self, claims: Iterable[Claim]) -> None:
        news = list(claims)
        for own in self._sessions.values():
            own.seen(news)

    def _wrote(self, claims: Sequence[Claim], revision: int) -> None:
        self._reading.claims.written(claims, revision)
        self._seen(claims)

    async def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            await self._gateway.close()


def _ttl(lease: float) -> int:
    """The lease on the server: whole seconds.

    It looks for those that have passed twice a second, so one is a second shorter there: what is promised is
    that a dead session's claims can be taken within its lease.
    """
    return math.ceil(lease) - (lease >= SHORTEST_LEASE)
