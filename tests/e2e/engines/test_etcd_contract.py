"""The public contract, run against a real etcd, each test under a prefix of its own."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd import EtcdStore, make
from onepoller.coordination.stores.etcd.session import EtcdSession
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract
from tests.e2e.engines.servers import Etcd

pytestmark = pytest.mark.slow
_prefixes = (f"contract-{number}" for number in itertools.count())
LATE = 0.15
"""With each quarter of a lease, seconds: etcd looks for leases that have passed twice a second."""


class TestEtcdStore(StoreContract):
    """Each handle is a store object of its own, as in another process."""

    lease = 2.0
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
        await asyncio.sleep(seconds + LATE)
