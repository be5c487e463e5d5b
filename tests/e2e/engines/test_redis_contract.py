"""The public contract, run against a real Redis server; each handle has connections of its own."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from onepoller.coordination.identity import Term
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.store import RedisStore
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract
from onepoller.testing.store_contract.rig import BOT, promise
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

    @promise
    async def test_a_holder_may_change_on_the_version_alone(self) -> None:
        """As in the contract, but the new holder reads first: a look before delivery asks no server."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        given = await first.write(replace(mine, holder=second.id, term=Term(mine.term + 1)))
        assert given is not None
        assert await second.claim() == given
        assert second.session.has_claim(BOT, given.term)
