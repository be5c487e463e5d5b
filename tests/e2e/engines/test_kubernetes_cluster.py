"""The public contract on a cluster of yours: `make test-kubernetes KUBECONFIG=...`; skipped otherwise.

All Leases that it makes begin with `contract-`, and are deleted when it ends.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.kubernetes import access_to
from onepoller.coordination.stores.kubernetes.client import Client
from onepoller.coordination.stores.kubernetes.failure import Conflict, Missing
from tests.e2e.engines.kubernetes_api.contract import LeaseContract

CLUSTER = os.environ.get("ONEPOLLER_TEST_CLUSTER", "")
"""A URL for `store=`; read here, because no test sees such variables."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quiet_http"),
    pytest.mark.skipif(not CLUSTER, reason="no cluster was named: make test-kubernetes KUBECONFIG=..."),
]


class TestKubernetesStoreOnACluster(LeaseContract):
    """A lease that is long enough for a cluster that is far away."""

    lease = 2.0

    @pytest.fixture(autouse=True)
    def _cluster(self) -> Iterator[None]:
        self.begin(CLUSTER)
        yield
        asyncio.run(self._clean_up())

    async def _clean_up(self) -> None:
        client = Client(access_to(Address.of(CLUSTER)), shown=CLUSTER.partition("?")[0], limit=10.0)
        try:
            leases, _ = await client.list_all("app.kubernetes.io/managed-by=onepoller")
            for lease in leases:
                if lease["metadata"]["name"].startswith(self.run):
                    with suppress(Missing, Conflict):  # it went with the one that owns it
                        await client.delete(lease)
        finally:
            await client.close()
