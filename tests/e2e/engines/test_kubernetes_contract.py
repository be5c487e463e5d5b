"""The public contract, run against the fake API server, which enforces the Role that we ship."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.engines.kubernetes_api.contract import LeaseContract
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quiet_http")]


class TestKubernetesStore(LeaseContract):
    """No test may send a field that the server does not know."""

    lease = 1.6

    @pytest.fixture(autouse=True)
    def _cluster(self, kubernetes_api: FakeKubernetes, tmp_path: Path) -> Iterator[None]:
        config = tmp_path / "config"
        config.write_text(kubernetes_api.kubeconfig())
        self.begin(f"kubernetes://bots?kubeconfig={config}")
        yield
        assert kubernetes_api.warnings == []
