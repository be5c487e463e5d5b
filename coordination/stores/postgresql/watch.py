"""Waiting for changes: what the server tells us on our connection, and a slow look behind it.

The look is one small statement, however many bots there are: has anything been written, who is silent, and
when does the next lease end that only a clock can end. Behind a pooler it is all there is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from onepoller.coordination.identity import SessionId, boot_clock
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.postgresql.ring import Ring
from onepoller.coordination.stores.postgresql.session import PostgreSQLSession
from onepoller.coordination.stores.seam import Change

LOOK = """
SELECT m.number, ARRAY(
        SELECT s.id FROM {s}.sessions s
        WHERE NOT s.is_over AND {s}.is_silent(s, $1)
            AND EXISTS (SELECT FROM {s}.claims c WHERE s.id IN (c.holder, c.heir))
    ) AS silent, (
        SELECT min(extract(epoch FROM ends - clock_timestamp()))::double precision
        FROM {s}.sessions s, LATERAL (SELECT CASE
            WHEN s.life <> m.life THEN m.life_since WHEN s.lock_key IS NULL THEN s.beaten_at
        END + make_interval(secs => s.lease) AS ends) e
        WHERE NOT s.is_over AND s.id <> ALL ($1) AND ends > clock_timestamp()
    ) AS next_end
FROM {s}.meta m
"""
_AFTER = 0.01
"""Seconds after the end of a lease at which it is looked for."""


class Watch:
    """One session's watch."""

    def __init__(
        self,
        session: PostgreSQLSession,
        *,
        look: Callable[[], Awaitable[Any]],
        slow_look: float,
        again_at: float,
        begin_ring: Callable[[Watch], Ring] | None,
    ) -> None:
        self.session = session
        self._look_once = look
        self._slow_look = slow_look
        self._again_at = again_at
        """When there is something to look at though nothing is written (boot clock)."""
        self._changes = Changes()
        self._loop = asyncio.get_running_loop()
        self._number: int | None = None
        self._due = 0.0
        self._is_lost = False
        self._ring = begin_ring(self) if begin_ring else None

    async def run(self) -> AsyncIterator[Change]:
        """Yield at once, when told, when a session ends, and at a slow look that found something.

        Raises StoreUnavailable, where a lost connection cannot be had again at once.
        """
        try:
            await self._look()
            yield Change()
            while not self.session.is_over:
                for change in await self._changes.take(until=self._due):
                    yield change
                if self._is_lost or self._loop.time() >= self._due:
                    for change in await self._look():
                        yield change
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Wait for nobody any more."""
        if self._ring is not None:
            await self._ring.stop()

    def heard(self, payload: str) -> None:
        """Somebody has called: on our own channel without a word, on everybody's with a session's id."""
        if payload.startswith("+"):
            if self._ring is not None:
                self._ring.began(SessionId(payload[1:]))
        else:
            self._changes.put(Change(session=SessionId(payload) if payload else None))

    def silent(self, session: SessionId) -> None:
        """This session's lock is free."""
        self._changes.put(Change(session=session))

    def ended(self) -> None:
        """Our own session is over: look up."""
        self._changes.put(Change())

    def lost(self) -> None:
        """The connection is lost: get it again now, and look at everything."""
        self._is_lost = True
        self._changes.put(Change())
        if self._ring is not None:
            self._ring.missed()

    async def _look(self) -> list[Change]:
        was_lost, self._is_lost = self._is_lost, False
        row = await self._look_once()
        pause = self._slow_look * random.uniform(0.8, 1.2)
        if row["next_end"] is not None:
            pause = min(pause, row["next_end"] + _AFTER)
        left = self._again_at - boot_clock()
        if 0.0 < left < pause:
            self._loop.call_later(left, self._changes.put, Change())
        self._due = self._loop.time() + pause
        is_news = was_lost or row["number"] != self._number
        self._number = row["number"]
        news = [Change()] if is_news else []
        return news + [Change(session=SessionId(name)) for name in row["silent"]]
