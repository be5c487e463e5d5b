"""The reference store behind its own seam, with the faults of a store, and the history of its claims.

A `SharedStore` is what the processes of one host share; each has a `Seat` there: it is slow by its own
measure, it can be cut off, and the answer to a write can be lost on the way back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from random import Random

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, Term
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch, Change, Session, Snapshot, Swapped
from tests.simulation.machines import Machine
from tests.simulation.world import BOT

QUICK = (0.0002, 0.002)
"""Seconds that an operation of a well store takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A claim changed hands: from then on this process has it; None: nobody."""

    at: float
    term: Term
    holder: str | None


class SharedStore:
    """One store."""

    def __init__(self, machine: Machine, now: Callable[[], float], *, lease: float = 10.0) -> None:
        self.inner = MemoryStore(lease=lease, clock=machine.boot)
        self.machine = machine
        self.history: list[Grant] = []
        self._now = now
        self._names: dict[str, str] = {}

    def opened(self, session: Session, name: str) -> None:
        """A process has a new session."""
        self._names[session.id] = name

    def written(self, swapped: Swapped) -> None:
        """Note who has the claim now."""
        for claim in swapped.written.values():
            holder = self._names[claim.holder] if claim.holder is not None else None
            self.history.append(Grant(at=self._now(), term=claim.term, holder=holder))

    def closed(self, name: str) -> None:
        """A session was closed: what it held is free."""
        if self.history and self.history[-1].holder == name:
            self.history.append(Grant(at=self._now(), term=self.history[-1].term, holder=None))

    def holds(self, session: Session | None) -> bool:
        """Whether the claim is this session's, whatever the session itself may think."""
        claim = self.inner._claims.get(BotId(BOT))
        record = None if session is None else self.inner._sessions.get(session.id)
        if claim is None or record is None or claim.holder != record.id:
            return False
        return not record.is_over and not record.is_killed


class Seat:
    """A store as one process has it."""

    def __init__(self, shared: SharedStore, name: str, random: Random) -> None:
        self.shared = shared
        self.session: Session | None = None
        self.is_away = False
        self.takes = QUICK
        self.loses_answers = 0.0
        """The share of writes whose answer never comes."""
        self.is_gone = False
        """The process has ended: nothing of it reaches the store any more."""
        self._name = name
        self._random = random

    def die(self) -> None:
        """The process has died: the kernel lets go of its locks."""
        self.is_gone = True
        if self.session is not None:
            self.shared.inner.kill(self.session.id)
            self.shared.closed(self._name)

    async def open(self, identity: Identity) -> Session:
        await self._way()
        self.session = session = await self.shared.inner.open(identity)
        self.shared.opened(session, self._name)
        return session

    async def close(self, session: Session) -> None:
        await self._way()
        await self.shared.inner.close(session)
        self.shared.closed(self._name)

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        await self._way()
        await self.shared.inner.beat(session, report=report, confirm=confirm)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        await self._way()
        return await self.shared.inner.read(bots)

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        await self._way()
        swapped = await self.shared.inner.swap(session, batch)
        self.shared.written(swapped)
        if self.loses_answers and self._random.random() < self.loses_answers:
            raise StoreUnavailable("the answer was lost")
        return swapped

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        self._refuse()
        async for change in self.shared.inner.watch(session):
            self._refuse()
            yield change

    async def _way(self) -> None:
        if self.is_gone:
            raise StoreUnavailable("the process has ended")
        await asyncio.sleep(self._random.uniform(*self.takes))
        self._refuse()

    def _refuse(self) -> None:
        if self.is_away or self.is_gone:
            raise StoreUnavailable("away")
