"""A store that writes down what its process was told: the history of one process, a line at a time.

Written where it cannot flatter us: a belief begins when the answer to our write is here, and ends before the
write that lets go is sent; what a session knows of its own life is written as it changes, in whatever thread.
Each line is one `write`, so a `kill -9` leaves whole lines. `history` reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from typing import TypeVar

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, Identity, SessionId, Term, boot_clock
from onepoller.coordination.stores.seam import Batch, Change, Session, Snapshot, Store, Swapped

T = TypeVar("T")
Look = tuple[SessionId, Term, float]
"""Of which session, for which term, and when."""


class Pen:
    """Appends lines to a file, from any thread."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, kind: str, *fields: object) -> None:
        """One line."""
        os.write(self._file, json.dumps([kind, *fields]).encode() + b"\n")


class RecordedSession:
    """Our session, with its looks before delivery written down."""

    def __init__(self, inner: Session, pen: Pen, looks: dict[BotId, Look]) -> None:
        self.inner = inner
        self.held: dict[BotId, Term] = {}
        self.asked: dict[BotId, float] = {}
        """When we last asked for each claim: the answer may have been lost."""
        self.letting_go: set[BotId] = set()
        self._looks = looks
        self._pen = pen
        self._deadline = 0.0
        self.tell()
        _watch_over(inner, self.tell)

    @property
    def id(self) -> SessionId:
        """See `Session`."""
        return self.inner.id

    @property
    def deadline(self) -> float:
        """See `Session`."""
        return self.inner.deadline

    @property
    def fence_wait(self) -> float:
        """See `Session`."""
        return self.inner.fence_wait

    def has_claim(self, bot_id: BotId, term: Term) -> bool:
        """The look before delivery; its moment is before what it looks at."""
        now = boot_clock()
        if not self.inner.has_claim(bot_id, term):
            return False
        if bot_id in self.letting_go:
            self.letting_go.discard(bot_id)  # it could not let go, and goes on
            self.granted(bot_id, term, now)
        self._looks[bot_id] = (self.id, term, now)
        return True

    def granted(self, bot_id: BotId, term: Term, heard: float) -> None:
        """The claim is ours."""
        self.held[bot_id] = term
        self._pen.write("grant", bot_id, self.id, term, self.asked.get(bot_id, heard), heard)

    def ended(self, bot_id: BotId, *, is_clean: bool) -> None:
        """It is not ours any more, or about to go."""
        term = self.held.pop(bot_id)
        self._pen.write("ended", bot_id, self.id, term, boot_clock(), is_clean)

    def tell(self) -> None:
        """Its deadline has moved, or it is over."""
        deadline = self.inner.deadline
        if getattr(self.inner, "is_over", False):
            self.over()
        elif deadline != self._deadline:
            self._deadline = deadline
            self._pen.write("lived", self.id, boot_clock(), deadline)

    def over(self) -> None:
        """It delivers nothing any more."""
        self._pen.write("over", self.id, boot_clock())


class RecordedStore:
    """Wraps a store. One session at a time, as an instance has it."""

    def __init__(self, inner: Store, pen: Pen) -> None:
        self.session: RecordedSession | None = None
        self.looks: dict[BotId, Look] = {}
        """Of each bot, the last look that said yes."""
        self._inner = inner
        self._pen = pen

    async def open(self, identity: Identity) -> Session:
        """See `Store`."""
        session = RecordedSession(await self._inner.open(identity), self._pen, self.looks)
        self._pen.write("session", session.id, os.getpid())
        self.session = session
        return session

    async def close(self, session: Session) -> None:
        """See `Store`."""
        own = _recorded(session)
        own.over()
        await self._inner.close(own.inner)

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        """See `Store`."""
        own = _recorded(session)
        await self._watched(own, self._inner.beat(own.inner, report=report, confirm=confirm))

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """See `Store`. What it says of our claims is news to us."""
        snapshot = await self._inner.read(bots)
        own = self.session
        if own is not None:
            for bot_id, claim in snapshot.claims.items():
                if claim.holder != own.id:
                    own.letting_go.discard(bot_id)
                    if bot_id in own.held:
                        own.ended(bot_id, is_clean=False)
                elif own.held.get(bot_id) != claim.term and bot_id not in own.letting_go:
                    own.granted(bot_id, claim.term, boot_clock())
        return snapshot

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """See `Store`."""
        own = _recorded(session)
        for swap in batch.swaps:
            bot_id = swap.claim.bot_id
            if swap.claim.holder == own.id:
                if bot_id not in own.held:
                    own.asked[bot_id] = boot_clock()
            elif bot_id in own.held:
                own.letting_go.add(bot_id)
                own.ended(bot_id, is_clean=True)
        swapped = await self._watched(own, self._inner.swap(own.inner, batch))
        for bot_id, claim in swapped.written.items():
            if claim.holder == own.id and own.held.get(bot_id) != claim.term:
                own.letting_go.discard(bot_id)
                own.granted(bot_id, claim.term, boot_clock())
            elif bot_id in own.letting_go:
                self._pen.write("freed", bot_id, own.id, claim.term)
        return swapped

    def watch(self, session: Session) -> AsyncIterator[Change]:
        """See `Store`."""
        return self._inner.watch(_recorded(session).inner)

    async def _watched(self, own: RecordedSession, call: Awaitable[T]) -> T:
        try:
            return await call
        except SessionOver:
            own.over()
            raise


def _watch_over(session: Session, tell: Callable[[], None]) -> None:
    """Call this when the session's own idea of its life changes: at that moment, not after an operation."""
    kind = type(session)

    def set_and_tell(self: object, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name in {"_beaten_at", "deadline", "is_over"}:
            tell()

    session.__class__ = type(kind.__name__, (kind,), {"__setattr__": set_and_tell})


def _recorded(session: Session) -> RecordedSession:
    assert isinstance(session, RecordedSession)
    return session
