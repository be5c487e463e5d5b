"""The servers that the stores on engines are measured on: those of the tests, on the loopback.

What is not installed here is not measured, and said. PostgreSQL and etcd do not wait for the disk (fsync is
off): that is their users' choice, and the same for everybody who writes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # a program's path begins with its own folder

from tests.e2e.engines.kubernetes_api.server import FakeKubernetes  # noqa: E402  # found by the line above
from tests.e2e.engines.servers import Etcd, PgBouncer, PostgreSQL, Redis  # noqa: E402  # as above

ELSEWHERE = [*map(str, Path("/usr/lib/postgresql").glob("*/bin")), "/usr/sbin"]
"""Where Debian keeps programs that are not in everybody's path."""


class Missing(Exception):
    """A program is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store on a server."""

    url: str
    """It ends where one more option can be added."""
    control: str
    """Where its server can be asked how much it has done."""


class Servers:
    """Each server is started by the first who asks for it; they end with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self.kubernetes: FakeKubernetes | None = None
        self._folder = folder
        self._stack = ExitStack()
        self._places: dict[str, Place] = {}
        self._started: dict[type, Redis | PostgreSQL | Etcd] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def place(self, name: str) -> Place:
        """The store of this name. Raises Missing."""
        if name not in self._places:
            self._places[name] = PLACES[name](self)
        return self._places[name]

    def redis(self) -> Place:
        """A Redis that keeps nothing on disk."""
        url = self._one(Redis).url
        return Place(url=f"{url}?", control=url)

    def postgresql(self) -> Place:
        """A PostgreSQL, connected to directly."""
        url = self._one(PostgreSQL).url
        return Place(url=f"{url}?", control=url)

    def pooler(self) -> Place:
        """A database of its own of the same PostgreSQL, behind PgBouncer in transaction mode."""
        server = self._one(PostgreSQL)
        psql = [
            "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(server.port),
            "-U",
            "postgres",
            "-qc",
            "CREATE DATABASE pooled",
        ]
        subprocess.run(psql, check=True)
        pooler = PgBouncer(find("pgbouncer"), self._folder / "pgbouncer", behind=server.port)
        self._stack.callback(pooler.kill)
        pooler.start()
        return Place(
            url=f"{pooler.url.removesuffix('postgres')}pooled?mode=pooler&",
            control=f"{server.url.removesuffix('postgres')}pooled",
        )

    def etcd(self) -> Place:
        """One etcd alone."""
        url = self._one(Etcd).url
        return Place(url=f"{url}?", control=url.replace("etcd", "http", 1))

    def fake_kubernetes(self) -> Place:
        """The fake API server of the tests, in a thread of this process."""
        self.kubernetes = FakeKubernetes().start()
        self._stack.callback(self.kubernetes.close)
        config = self._folder / "kubeconfig"
        config.write_text(self.kubernetes.kubeconfig(), encoding="utf-8")
        return Place(url=f"kubernetes://bots?kubeconfig={config}&", control="")

    def _one(self, kind: type[Redis | PostgreSQL | Etcd]) -> Redis | PostgreSQL | Etcd:
        if kind not in self._started:
            server = kind(find(kind.program), self._folder / kind.program)
            self._stack.callback(server.kill)
            self._started[kind] = server.start()
        return self._started[kind]


PLACES: dict[str, Callable[[Servers], Place]] = {
    "Redis": Servers.redis,
    "PostgreSQL": Servers.postgresql,
    "PostgreSQL, pooler": Servers.pooler,
    "etcd": Servers.etcd,
    "Kubernetes (fake)": Servers.fake_kubernetes,
}


def find(program: str) -> Path:
    """Where a program is. Raises Missing, which says what is missing."""
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *ELSEWHERE]))
    if found is None:
        raise Missing(f"{program} is not installed")
    return Path(found)
