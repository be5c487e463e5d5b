"""A store that tells how long each of its operations took, and how it failed.

Writes are told a moment later, or with the close: what listeners do with it takes a tenth of a millisecond,
for which the first poll after a takeover would wait. The seconds told are the operation's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TypeVar

from onepoller.coordination.events import Event, StoreCalled
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.stores.seam import Batch, Change, Session, Snapshot, Store, Swapped

_T = TypeVar("_T")
_TELL_AFTER = 0.05
"""Seconds from a write to its telling: the first poll is on its way by then."""


class TimedStore:
    """Wraps a store; heartbeats are told apart by `BeatEnded` and are not counted here."""

    def __init__(self, inner: Store, emit: Callable[[Event], None]) -> None:
        self._inner = inner
        self._emit = emit
        self._untold: list[StoreCalled] = []

    async def open(self, identity: Identity) -> Session:
        """See `Store`."""
        return await self._timed("open", self._inner.open(identity))

    async def close(self, session: Session) -> None:
        """See `Store`."""
        self._tell_writes()
        return await self._timed("close", self._inner.close(session))

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        """See `Store`."""
        return await self._inner.beat(session, report=report, confirm=confirm)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """See `Store`."""
        return await self._timed("read", self._inner.read(bots))

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """See `Store`."""
        return await self._timed("swap", self._inner.swap(session, batch), tell=self._tell_later)

    def watch(self, session: Session) -> AsyncIterator[Change]:
        """See `Store`."""
        return self._inner.watch(session)

    async def _timed(
        self, operation: str, call: Awaitable[_T], *, tell: Callable[[StoreCalled], None] | None = None
    ) -> _T:
        started = time.perf_counter()
        error = ""
        try:
            return await call
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            called = StoreCalled(operation=operation, seconds=time.perf_counter() - started, error=error)
            (tell or self._emit)(called)

    def _tell_later(self, called: StoreCalled) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_later(_TELL_AFTER, self._tell_writes)
        self._untold.append(called)

    def _tell_writes(self) -> None:
        untold, self._untold = self._untold, []
        for called in untold:
            self._emit(called)
