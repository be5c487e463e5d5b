"""The servers of the engine tests: one of each for a whole run of tests, and fresh ones for who ends them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e.engines.kubernetes_api.role import granted_verbs
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes
from tests.e2e.engines.servers import Etcd, PgBouncer, PostgreSQL, Redis, Require, Server

S = TypeVar("S", bound=Server)


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
def own_server(require_program: Require, tmp_path: Path) -> Iterator[Callable[[type[Server]], Server]]:
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
def quiet_http() -> Iterator[None]:
    """Hold back what httpcore logs of each request, where there are thousands."""
    logger = logging.getLogger("httpcore")
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(level)
