"""The locks on servers that onepoller is measured against, each used as its documentation shows.

Each waits as it does by default. What must be renewed is renewed three times a lease, as onepoller beats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import asyncpg
import portalocker
import redis.asyncio

FOREVER = 3600.0
NAME = "bot"


class ServerLock(Protocol):
    """A lock that is waited for and let go."""

    async def acquire(self) -> None: ...

    async def release(self) -> None: ...


class RedisPyLock:
    """redis-py's `Lock`: a key that expires; who waits asks every 0.1 s."""

    def __init__(self, url: str, lease: float) -> None:
        self._lease = lease
        self._lock = redis.asyncio.Redis.from_url(url).lock(NAME, timeout=lease)
        self._renewing: asyncio.Task[None] | None = None

    async def acquire(self) -> None:
        """Wait for it, and renew it from then on."""
        await self._lock.acquire()
        self._renewing = asyncio.create_task(self._renew())

    async def release(self) -> None:
        """Delete the key."""
        assert self._renewing is not None
        self._renewing.cancel()
        await self._lock.release()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            await self._lock.reacquire()


class PortalockerRedisLock:
    """portalocker's `RedisLock`: a subscription; who waits asks every quarter of a second who answers."""

    def __init__(self, url: str, lease: float) -> None:
        del lease  # it has none: who does not answer for a second is disconnected
        client = redis.Redis.from_url(url)
        self._lock = portalocker.RedisLock(NAME, connection=client, timeout=FOREVER)

    async def acquire(self) -> None:
        """Wait for it."""
        await asyncio.to_thread(self._lock.acquire)

    async def release(self) -> None:
        """Unsubscribe."""
        await asyncio.to_thread(self._lock.release)


class AdvisoryLock:
    """PostgreSQL's own session lock: who waits is blocked in the server until it is free."""

    def __init__(self, url: str, lease: float) -> None:
        del lease  # it lasts as long as the connection
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def acquire(self) -> None:
        """Block."""
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        await self._connection.execute("SELECT pg_advisory_lock(4711)", timeout=FOREVER)

    async def release(self) -> None:
        """Unlock."""
        assert self._connection is not None
        await self._connection.execute("SELECT pg_advisory_unlock(4711)")


LOCKS: dict[str, Callable[[str, float], ServerLock]] = {
    "redis-py Lock": RedisPyLock,
    "portalocker RedisLock": PortalockerRedisLock,
    "pg_advisory_lock": AdvisoryLock,
}
ON = {"redis-py Lock": "Redis", "portalocker RedisLock": "Redis", "pg_advisory_lock": "PostgreSQL"}
"""Each on which server."""
