"""Waiting for changes: a subscription, the leases of others, and a slow look behind them.

Whoever writes something that we wait for says so on our own channel, in the same step as the write, so that
it can be seen by then; the end of a session is told to everybody. The slow look compares one counter.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.leases import Leases
from onepoller.coordination.stores.redis.line import Line
from onepoller.coordination.stores.redis.lines import Lines
from onepoller.coordination.stores.redis.session import RedisSession
from onepoller.coordination.stores.seam import Change


class Watch:
    """One session's watch. Raises StoreUnavailable where the server is away, SessionOver."""

    def __init__(
        self,
        session: RedisSession,
        lines: Lines,
        keys: Keys,
        *,
        slow_look: float,
        limit: float,
        check: Callable[[RedisSession, str, str], None],
        spared: tuple[SessionId, float] | None,
    ) -> None:
        self._session = session
        self._lines = lines
        self._keys = keys
        self._slow_look = slow_look
        self._limit = limit
        self._check = check
        """Given the server's run and the beginning of our data: raises SessionOver where it is another."""
        self._spared = spared[0] if spared else None
        """A session that was lost with the server's data, and counts for a while."""
        self._spared_until = spared[1] if spared else math.inf
        self._leases = Leases(keys, pause=slow_look)
        self._loop = asyncio.get_running_loop()
        self._look_at = 0.0
        self._generation: bytes | None = None

    async def run(self) -> AsyncIterator[Change]:
        """Yield at once, so that what happened since the last read is not missed, and then on each change."""
        if self._session.is_over:
            return
        keys = self._keys
        line = await self._lines.own(keys.wake(self._session.id), keys.everybody, limit=self._limit)
        try:
            await self._look()
            yield Change()
            while not self._session.is_over:
                until = min(self._look_at, self._leases.due, self._spared_until)
                heard = await self._lines.heard(line, seconds=until - self._loop.time())
                if heard is not None:
                    yield self._meaning(*heard)
                if self._loop.time() >= until:
                    for change in await self._look():
                        yield change
        finally:
            await line.close()

    def _meaning(self, channel: str, text: str) -> Change:
        return Change(session=SessionId(text)) if channel == self._keys.everybody else Change()

    async def _look(self) -> list[Change]:
        return await self._lines.call(self._look_on, limit=self._limit)

    async def _look_on(self, line: Line) -> list[Change]:
        """What the slow look finds where it is due, and whose lease is over.

        What was seen is noted when all was answered: until then it may be done again on another connection.
        """
        news = []
        generation, is_due = self._generation, self._loop.time() >= self._look_at
        if is_due:
            ((begun, generation),) = await line.ask(("MGET", self._keys.begun, self._keys.generation))
            self._check(self._session, line.server.run, (begun or b"").decode())
            if generation != self._generation:
                (members,) = await line.ask(("SMEMBERS", self._keys.sessions))
                self._leases.know({SessionId(member.decode()) for member in members} - {self._session.id})
                news.append(Change())
        asked = self._leases.asked(self._loop.time())
        replies = await line.ask(*(command for pair in asked.values() for command in pair)) if asked else []
        now = self._loop.time()
        if is_due:
            self._generation = generation
            self._look_at = now + self._slow_look * random.uniform(0.8, 1.2)
        if now >= self._spared_until:
            news.append(Change(session=self._spared))
            self._spared_until = math.inf
        for number, session_id in enumerate(asked):
            if self._leases.told(session_id, replies[2 * number : 2 * number + 2], now):
                news.append(Change(session=session_id))
        return news
