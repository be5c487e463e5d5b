"""The fake Kubernetes API as a server like the others: started, ended, frozen, reached through a proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tests.e2e.engines.kubernetes_api.role import granted_verbs
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes


class FakeCluster:
    """It keeps its Leases over a stop, as etcd does behind the real one. It runs in the test's process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._api = FakeKubernetes(granted=granted_verbs())
        self.port = self._api.port

    def url_at(self, port: int) -> str:
        """What `store=` takes, for whoever reaches it at this port."""
        config = self.folder / f"config-{port}"
        config.write_text(self._api.kubeconfig().replace(f":{self.port}", f":{port}"))
        return f"kubernetes://bots?kubeconfig={config}"

    def start(self) -> Self:
        """Listen, again after `stop`."""
        self._api.start()
        return self

    def stop(self) -> None:
        """End it; its Leases are kept."""
        self._api.stop()

    def kill(self) -> None:
        """The same: who is reached through it sees no difference."""
        self._api.stop()

    def freeze(self) -> None:
        """Take requests, and answer none."""
        self._api.freeze()

    def thaw(self) -> None:
        """Answer what has waited, too."""
        self._api.thaw()

    def close(self) -> None:
        """End it for good."""
        self._api.close()
