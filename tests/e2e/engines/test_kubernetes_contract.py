"""The public contract on Leases, against the fake API server."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from onepoller.coordination.identity import Term
from onepoller.coordination.stores.engine import Address, EngineSession
from onepoller.coordination.stores.kubernetes import KubernetesStore, make
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract
from onepoller.testing.store_contract.rig import BOT, promise
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api() -> Iterator[FakeKubernetes]:
    """Give an API server that all of these tests share, each under a prefix of its own."""
    fake = FakeKubernetes().start()
    yield fake
    fake.close()


class TestKubernetes(StoreContract):
    """Each handle is a store object of its own, as in another process."""

    lease = 0.6

    @pytest.fixture(autouse=True)
    def _cluster(self, api: FakeKubernetes, tmp_path: Path) -> Iterator[None]:
        config = tmp_path / "config"
        config.write_text(api.kubeconfig())
        self.options = f"kubeconfig={config}"
        self.prefixes = (f"t{uuid.uuid4().hex[:8]}-{number}" for number in itertools.count())
        self.addresses: dict[int, str] = {}
        yield
        assert api.warnings == []

    def on(self, url: str) -> KubernetesStore:
        """A handle on the store at this URL."""
        store = make(Address.of(url), lease=self.lease)
        self.addresses[id(store)] = url
        return store

    async def store(self) -> Store:
        """A new prefix."""
        return self.on(f"kubernetes://bots?prefix={next(self.prefixes)}&{self.options}")

    async def handle(self, store: Store) -> Store:
        """Another object, with connections of its own."""
        return self.on(self.addresses[id(store)])

    async def kill(self, store: Store, session: Session) -> None:  # noqa: ARG002  # the rig's parameter
        """A dead process says nothing more."""
        assert isinstance(session, EngineSession)

    async def pass_time(self, seconds: float) -> None:
        """Clocks are real."""
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
