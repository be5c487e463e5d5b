"""The public contract on Leases, for the fake API server and for real clusters."""

from __future__ import annotations

import asyncio
import itertools
import uuid

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.kubernetes import KubernetesStore, make
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract


class LeaseContract(StoreContract):
    """Each handle is a store object of its own, as in another process. Time passes for real."""

    url: str
    """Of the namespace, with options."""
    run: str
    """What the prefixes of this run begin with."""

    def begin(self, url: str) -> None:
        """Say where the cluster is, before each test."""
        self.url = url
        self.run = f"contract-{uuid.uuid4().hex[:8]}"
        self._numbers = itertools.count()
        self._prefixes: dict[int, str] = {}

    def on(self, prefix: str) -> KubernetesStore:
        """A handle on the store of this prefix."""
        store = make(Address.of(f"{self.url}&prefix={prefix}"), lease=self.lease)
        self._prefixes[id(store)] = prefix
        return store

    async def store(self) -> Store:
        """A new prefix is an empty store."""
        return self.on(f"{self.run}-{next(self._numbers)}")

    async def handle(self, store: Store) -> Store:
        """Another object, with connections of its own."""
        return self.on(self._prefixes[id(store)])

    async def kill(self, store: Store, session: Session) -> None:
        """A dead process says nothing more."""

    async def pass_time(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
