"""The stores that the tests of faults and trouble run on, each with what is its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.engines.servers import Etcd, PostgreSQL, Redis, Server


class LastingRedis(Redis):
    """A Redis that has after a restart what it had before."""

    def __init__(self, found: Path, folder: Path) -> None:
        super().__init__(found, folder, keeps=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A kind of store on a server."""

    name: str
    server: type[Server]
    url: Callable[[int], str]
    """Of a port of this machine: the server's, or that of a proxy before it."""
    lease: float = 2.0
    lose_data: Callable[[Server], None] | None = None
    """Everything that the server has is gone, at once, while it runs."""


def flush(server: Server) -> None:
    """FLUSHALL."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"FLUSHALL\r\n")
        assert client.recv(100) == b"+OK\r\n"


ENGINES = (
    Engine(
        name="redis",
        server=LastingRedis,
        url=lambda port: f"redis://127.0.0.1:{port}/0",
        lose_data=flush,
    ),
    Engine(
        name="postgresql",
        server=PostgreSQL,
        url=lambda port: f"postgresql://postgres@127.0.0.1:{port}/postgres",
    ),
    Engine(name="etcd", server=Etcd, url=lambda port: f"etcd://127.0.0.1:{port}"),
)
