"""The stores that the tests of faults and trouble run on, each with what is its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from tests.e2e.engines.fake_cluster import FakeCluster
from tests.e2e.engines.servers import Etcd, PostgreSQL, Redis, Require, Server


class Breakable(Protocol):
    """A server that can be frozen, ended and started again on what it had."""

    port: int

    def url_at(self, port: int) -> str: ...
    def start(self) -> Self: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A kind of store on a server."""

    name: str
    make: Callable[[Require, Path], Any]
    """A server that is not started, in this folder: a `Breakable`."""
    drop: Callable[[Any], None] | None = None
    """The server ends what it has of its clients, as an administrator does: connections, or their leases."""
    losses: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)
    """How everything that we had on it is lost, by name."""
    spared: tuple[str, ...] = ()
    """Faults after which two may deliver for a moment: known, written down, and not struck at."""
    lease: float = 2.0
    options: str = ""
    """Of the URL."""

    def url(self, server: Breakable, port: int) -> str:
        """What `store=` takes, for whoever reaches the server at this port."""
        return server.url_at(port) + self.options


def _of(kind: type[Server], **settings: bool) -> Callable[[Require, Path], Server]:
    def make(require: Require, folder: Path) -> Server:
        return kind(require(kind.program), folder, **settings)

    return make


def flush(server: Server) -> None:
    """FLUSHALL."""
    _say_to_redis(server, "FLUSHALL")


def restart_empty(server: Server) -> None:
    """A crash, and nothing was kept."""
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    server.start()


def kill_clients(server: Server) -> None:
    """CLIENT KILL, of those who listen too."""
    _say_to_redis(server, "CLIENT KILL TYPE normal SKIPME yes")
    _say_to_redis(server, "CLIENT KILL TYPE pubsub")


def _say_to_redis(server: Server, command: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(command.encode() + b"\r\n")
        assert client.recv(100)[:1] in b"+:"


def terminate_backends(server: Server) -> None:
    """pg_terminate_backend, of all but the one who asks."""
    _say_to_postgresql(server, _TERMINATE)


def drop_schema(server: Server) -> None:
    """DROP SCHEMA."""
    _say_to_postgresql(server, "DROP SCHEMA onepoller CASCADE")


def _say_to_postgresql(server: Server, command: str) -> None:
    psql = [server.program_beside("psql"), "-X", "-q", "-h", "127.0.0.1", "-p", str(server.port)]
    subprocess.run([*psql, "-U", "postgres", "-c", command], check=True, capture_output=True, timeout=10)


_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def revoke_leases(server: Server) -> None:
    """Lease revoke, of every lease that there is."""
    for lease in _ask_etcd(server, "lease/leases").get("leases", ()):
        _ask_etcd(server, "lease/revoke", ID=lease["ID"])


def delete_keys(server: Server) -> None:
    """Delete everything from the first key on."""
    _ask_etcd(server, "kv/deleterange", key="AA==", range_end="AA==")


def _ask_etcd(server: Server, method: str, **fields: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}/v3/{method}"
    answer: dict[str, Any] = (
        httpx.post(url, json=fields, trust_env=False, timeout=10).raise_for_status().json()
    )
    return answer


ENGINES = (
    Engine(
        name="redis",
        make=_of(Redis, keeps=True),
        drop=kill_clients,
        losses={"FLUSHALL": flush, "empty restart": restart_empty},
    ),
    Engine(
        name="postgresql",
        make=_of(PostgreSQL),
        drop=terminate_backends,
        losses={"DROP SCHEMA": drop_schema},
    ),
    Engine(
        name="pooler",
        make=_of(PostgreSQL),
        drop=terminate_backends,
        losses={"DROP SCHEMA": drop_schema},
        options="?mode=pooler",
    ),
    Engine(name="etcd", make=_of(Etcd), drop=revoke_leases, losses={"all keys deleted": delete_keys}),
    Engine(name="kubernetes", make=lambda _, folder: FakeCluster(folder)),
)
TRUSTING = Engine(
    name="trusting",
    make=_of(PostgreSQL),
    drop=terminate_backends,
    losses={"DROP SCHEMA": drop_schema},
    spared=("dropped",),  # a closed connection is taken for a death, as the server cannot tell them apart
    options="?mode=connection",
)
"""PostgreSQL, where locks count through the proxies that its faults come from."""
