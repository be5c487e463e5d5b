"""The public contract, run against a real etcd, each test under a prefix of its own."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd import EtcdStore, make
from onepoller.coordination.stores.etcd.session import EtcdSession
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract
from onepoller.testing.store_contract.rig import Peer, promise
from tests.e2e.engines.servers import Etcd

pytestmark = pytest.mark.slow
_prefixes = (f"contract-{number}" for number in itertools.count())
EXPIRY = 0.6
"""etcd looks for leases that have passed twice a second."""


class TestEtcdStore(StoreContract):
    """Each handle is a store object of its own, as in another process."""

    lease = 1.0
    ends_the_silent = True

    @pytest.fixture(autouse=True)
    def _on(self, etcd_server: Etcd) -> None:
        self.url = etcd_server.url

    async def store(self) -> Store:
        """A new prefix."""
        return self.on(next(_prefixes))

    def on(self, prefix: str) -> EtcdStore:
        """A handle."""
        return make(Address.of(f"{self.url}?prefix={prefix}"), lease=self.lease)

    async def handle(self, store: Store) -> Store:
        """Another object, with connections of its own."""
        assert isinstance(store, EtcdStore)
        return self.on(store.prefix)

    async def kill(self, store: Store, session: Session) -> None:  # noqa: ARG002  # the rig's parameter
        """A dead process renews nothing: the server ends its lease."""
        assert isinstance(session, EtcdSession)

    async def pass_time(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def silence(self, peer: Peer, *, seen_by: Peer) -> None:
        """Let one peer's lease pass, until the server has seen it, while the other one beats."""
        await seen_by.liveness(peer)
        end = time.monotonic() + self.lease + EXPIRY
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self.lease / 3))
            await seen_by.store.beat(seen_by.session)

    @promise
    async def test_a_session_that_beat_again_is_no_longer_silent(self) -> None:
        """Not here: the server has ended it, so it cannot beat, and its claim can be taken."""
        first, second = await self.pair()
        await first.take()
        await self.silence(first, seen_by=second)
        assert await first.is_over()
        assert await second.take(requires_over=first) is not None
