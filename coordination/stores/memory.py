"""The store in memory: the reference for every other one, and the refuge of the default directory.

It covers the instances that share one `MemoryStore` object: those of a process, or of a simulation on virtual
time (the clock is injected). Nothing outlives the process and nothing outside it is seen.

A session is proved over when it has not beaten for a lease, or after `kill`, which is what SIGKILL is to the
file store. A change wakes only those whom its writer names; the others find it at their slow look.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, replace

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, Identity, SessionId, Term, boot_clock, new_session_id
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import (
    Batch,
    Change,
    Claim,
    Liveness,
    Session,
    SessionRecord,
    Snapshot,
    Swap,
    Swapped,
    Wish,
)


@dataclass(slots=True, kw_only=True, eq=False)
class MemorySession:
    """A session of a `MemoryStore`."""

    id: SessionId
    identity: Identity
    lease: Lease
    claims: dict[BotId, Claim]
    """The store's claims."""
    beaten_at: float
    report: bytes = b""
    is_killed: bool = False
    is_over: bool = False
    fence_wait: float = 0.0

    @property
    def deadline(self) -> float:
        """The store's clock: after it nothing is sent or delivered."""
        return self.lease.deadline(self.beaten_at)

    def has_claim(self, bot_id: BotId, term: Term) -> bool:
        """The look before delivery."""
        claim = self.claims.get(bot_id)
        is_ours = claim is not None and claim.holder == self.id and claim.term == term
        return is_ours and not self.is_over and not self.is_killed

    def liveness(self, now: float) -> Liveness:
        """What others know of it."""
        if self.is_over:
            return Liveness.OVER
        is_silent = self.is_killed or now - self.beaten_at >= self.lease.seconds
        return Liveness.SILENT if is_silent else Liveness.ALIVE


class MemoryStore:
    """Sessions, claims and wishes of one process. Sessions may live in several threads and loops."""

    def __init__(
        self,
        *,
        lease: float = 10.0,
        margin: float | None = None,
        clock: Callable[[], float] = boot_clock,
        slow_look: float = 1.0,
        first_term: Term = Term(1),
        fence_wait: float = 0.0,
    ) -> None:
        self._lease = Lease.of(lease, margin=margin)
        self._clock = clock
        self._slow_look = slow_look
        self._first_term = first_term
        self._fence_wait = fence_wait
        """Above 0 only where a simulation stands for a server, which nobody asks before delivery."""
        self._lock = threading.Lock()
        self._sessions: dict[SessionId, MemorySession] = {}
        self._claims: dict[BotId, Claim] = {}
        self._wishes: dict[BotId, dict[SessionId, Wish]] = {}
        self._arrivals = itertools.count(1)
        self._watchers: dict[Changes, SessionId] = {}
        self._writes = 0

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._sessions)} sessions, {len(self._claims)} claims>"

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on."""
        with self._lock:
            self._forget()
            session = MemorySession(
                id=new_session_id(),
                identity=identity,
                lease=self._lease,
                claims=self._claims,
                beaten_at=self._clock(),
                fence_wait=self._fence_wait,
            )
            self._sessions[session.id] = session
            return session

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody is woken. Idempotent."""
        with self._lock:
            own = self._sessions.get(session.id)
            if own is None or own.is_over:
                return
            self._end(own.id)
            for claim in [claim for claim in self._claims.values() if claim.holder == own.id]:
                freed = replace(claim, holder=None, heir=None, clean=False, version=claim.version + 1)
                self._claims[claim.bot_id] = freed
        self._tell_all(Change(session=session.id))

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:  # noqa: ARG002  # every beat is in order here
        """Say that the session lives, and move its deadline."""
        with self._lock:
            own = self._living(session)
            own.beaten_at = self._clock()
            own.report = report

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all."""
        with self._lock:
            wanted = self._claims.keys() | self._wishes.keys() if bots is None else bots
            claims = {bot_id: self._claims.get(bot_id) or Claim(bot_id=bot_id) for bot_id in wanted}
            wishes = {bot_id: tuple(self._wishes.get(bot_id, {}).values()) for bot_id in wanted}
            named = {name for claim in claims.values() for name in (claim.holder, claim.heir)}
            named |= {wish.session for standing in wishes.values() for wish in standing}
            now = self._clock()
            sessions = {
                own.id: SessionRecord(
                    id=own.id,
                    identity=own.identity,
                    liveness=own.liveness(now),
                    lease=own.lease.seconds,
                    report=own.report,
                    silence=now - own.beaten_at,
                )
                for own in self._sessions.values()
                if bots is None or own.id in named
            }
            return Snapshot(claims=claims, wishes=wishes, sessions=sessions)

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one call; each claim only if its version is the expected one."""
        with self._lock:
            own = self._living(session)
            written = {}
            for swap in batch.swaps:
                if self._may_write(swap):
                    written[swap.claim.bot_id] = self._write(swap)
            for wish in batch.wishes:
                self._wish(own.id, wish)
            for bot_id in batch.taken_back(written):
                self._wishes.get(bot_id, {}).pop(own.id, None)
            self._writes += 1
            woken = [changes for changes, watcher in self._watchers.items() if watcher in batch.wake]
        for changes in woken:
            changes.put_from_anywhere(Change())
        return Swapped(written=written)

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield at once, when woken, when a session ends, and at a slow look that found something."""
        loop = asyncio.get_running_loop()
        changes = Changes()
        with self._lock:
            self._watchers[changes] = session.id
            seen = self._writes
        try:
            yield Change()
            due = loop.time() + self._slow_look
            while not self._is_gone(session):
                for change in await changes.take(until=due):
                    yield change
                if loop.time() >= due:
                    due = loop.time() + self._slow_look
                    news, seen = self._look(session, seen)
                    for change in news:
                        yield change
        finally:
            with self._lock:
                del self._watchers[changes]

    def kill(self, session_id: SessionId) -> None:
        """Let a session die as if by SIGKILL: it does nothing more, and who requires it over gets it."""
        with self._lock:
            self._sessions[session_id].is_killed = True
        self._tell_all(Change(session=session_id))

    def _living(self, session: Session) -> MemorySession:
        own = self._sessions.get(session.id)
        if own is None or own.is_over or own.is_killed:
            raise SessionOver(f"Session {session.id} is over; open a new one.")
        return own

    def _is_gone(self, session: Session) -> bool:
        own = self._sessions.get(session.id)
        return own is None or own.is_over or own.is_killed

    def _may_write(self, swap: Swap) -> bool:
        current = self._claims.get(swap.claim.bot_id)
        if swap.claim.version != (current.version if current else 0):
            return False
        if swap.requires_over is None:
            return True
        other = self._sessions.get(swap.requires_over)
        if other is not None and other.liveness(self._clock()) is Liveness.ALIVE:
            return False
        self._end(swap.requires_over)
        return True

    def _write(self, swap: Swap) -> Claim:
        wanted = swap.claim
        claim = wanted.written(wanted.term if wanted.version else max(wanted.term, self._first_term))
        self._claims[claim.bot_id] = claim
        return claim

    def _wish(self, writer: SessionId, wish: Wish) -> None:
        if wish.session != writer:
            raise ValueError("a session writes its own wishes only")
        standing = self._wishes.setdefault(wish.bot_id, {})
        earlier = standing.get(writer)
        standing[writer] = replace(wish, since=earlier.since if earlier else next(self._arrivals))

    def _end(self, session_id: SessionId) -> None:
        self._writes += 1
        if session_id in self._sessions:
            self._sessions[session_id].is_over = True
        for standing in self._wishes.values():
            standing.pop(session_id, None)

    def _forget(self) -> None:
        named = {name for claim in self._claims.values() for name in (claim.holder, claim.heir)}
        for session in list(self._sessions.values()):
            if session.is_over and session.id not in named:
                del self._sessions[session.id]

    def _look(self, session: Session, seen: int) -> tuple[list[Change], int]:
        with self._lock:
            news = [Change()] if self._writes != seen else []
            now = self._clock()
            for other in self._sessions.values():
                is_silent = other.id != session.id and other.liveness(now) is Liveness.SILENT
                if is_silent and any(
                    other.id in (claim.holder, claim.heir) for claim in self._claims.values()
                ):
                    news.append(Change(session=other.id))
            return news, self._writes

    def _tell_all(self, change: Change) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for changes in watchers:
            changes.put_from_anywhere(change)
