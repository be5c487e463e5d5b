"""The servers of the engine tests: one of each for a whole run of tests, and fresh ones for who ends them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e.bots.processes import Bots
from tests.e2e.engines.hosts import Hosts
from tests.e2e.engines.kubernetes_api.peers import Namespace
from tests.e2e.engines.kubernetes_api.role import granted_verbs
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes
from tests.e2e.engines.servers import Etcd, OwnServer, PgBouncer, PostgreSQL, Redis, Require, Server

S = TypeVar("S", bound=Server)


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


def _running(kind: type[S], require: Require, folder: Path) -> Iterator[S]:
    server = kind(require(kind.program), folder / kind.program).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_server(require_program: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """Give a Redis that all tests share, each under a prefix of its own."""
    yield from _running(Redis, require_program, tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def postgresql_server(
    require_program: Require, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgreSQL]:
    """Give a PostgreSQL that all tests share, each in a schema of its own."""
    yield from _running(PostgreSQL, require_program, tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(scope="session")
def pgbouncer(
    require_program: Require, tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL
) -> Iterator[PgBouncer]:
    """Give a pooler before that PostgreSQL."""
    folder = tmp_path_factory.mktemp("pgbouncer")
    server = PgBouncer(require_program("pgbouncer"), folder, behind=postgresql_server.port).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def etcd_server(require_program: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """Give an etcd that all tests share, each under a prefix of its own."""
    yield from _running(Etcd, require_program, tmp_path_factory.mktemp("etcd"))


@pytest.fixture
def own_server(require_program: Require, tmp_path: Path) -> Iterator[OwnServer]:
    """Give a maker of servers that the test may freeze, end and start again; they end with the test."""
    made: list[Server] = []

    def make(kind: type[Server]) -> Server:
        made.append(kind(require_program(kind.program), tmp_path / f"{kind.program}-{len(made)}"))
        return made[-1].start()

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def kubernetes_api() -> Iterator[FakeKubernetes]:
    """Give a fake API server that tests share, each under a prefix of its own; it enforces our Role."""
    fake = FakeKubernetes(granted=granted_verbs()).start()
    yield fake
    fake.close()


@pytest.fixture
def own_kubernetes_api() -> Iterator[FakeKubernetes]:
    """Give a fake API server of the test's own: for faults and counts."""
    fake = FakeKubernetes(granted=granted_verbs()).start()
    yield fake
    fake.close()


@pytest.fixture
def namespace(own_kubernetes_api: FakeKubernetes, tmp_path: Path) -> Namespace:
    """Give a namespace of that server."""
    return Namespace(own_kubernetes_api, tmp_path)


@pytest.fixture
def quiet_http() -> Iterator[None]:
    """Hold back what httpcore logs of each request, where there are thousands."""
    logger = logging.getLogger("httpcore")
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def kubernetes_url(kubernetes_api: FakeKubernetes, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the URL of a namespace of that server."""
    config = tmp_path_factory.mktemp("kubernetes") / "config"
    config.write_text(kubernetes_api.kubeconfig())
    return f"kubernetes://bots?kubeconfig={config}"


def _on(fixture: str) -> Callable[[pytest.FixtureRequest], str]:
    return lambda request: f"{request.getfixturevalue(fixture).url}?"


STORES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "redis": _on("redis_server"),
    "postgresql": _on("postgresql_server"),
    "postgresql-pooler": lambda request: f"{request.getfixturevalue('pgbouncer').url}?mode=pooler&",
    "etcd": _on("etcd_server"),
    "kubernetes": lambda request: f"{request.getfixturevalue('kubernetes_url')}&",
}
"""What gives the URL of each kind of store, ready for one more option; its server is started by the first."""


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty store, on each kind of server in turn."""
    url = STORES[request.param](request)
    return f"{url}prefix=s{secrets.token_hex(4)}"


@pytest.fixture
def hosts(bots: Bots, tmp_path: Path, store_url: str) -> Hosts:
    """Give a maker of bots on hosts that share this store."""
    return Hosts(bots, tmp_path / "hosts", store_url)
