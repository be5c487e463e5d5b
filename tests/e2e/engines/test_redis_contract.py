"""The public contract, run against a real Redis server; each handle has connections of its own."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.store import RedisStore
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract
from tests.e2e.engines.servers import Redis

pytestmark = pytest.mark.slow
PREFIXES = (f"contract{number}" for number in itertools.count())


class TestRedisStore(StoreContract):
    """Time passes for real."""

    lease = 0.6

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: Redis) -> None:
        self.server = redis_server

    async def store(self) -> Store:
        """A new prefix is an empty store."""
        self.prefix = next(PREFIXES)
        return self.on_server()

    def on_server(self) -> RedisStore:
        """A handle on the prefix of this test."""
        return RedisStore(
            Place.of(Address.of(self.server.url)), prefix=self.prefix, lease=self.lease, slow_look=0.05
        )

    async def handle(self, store: Store) -> Store:  # noqa: ARG002  # the rig's parameter
        """Another object, with connections of its own."""
        return self.on_server()

    async def kill(self, store: Store, session: Session) -> None:
        """A dead process says nothing more."""

    async def pass_time(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
