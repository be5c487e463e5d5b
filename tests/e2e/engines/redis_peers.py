"""Redis servers of several kinds, and sessions on them, for the tests of the Redis store."""

from __future__ import annotations

import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import redis

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.store import RedisStore
from onepoller.coordination.stores.seam import Change
from onepoller.testing.store_contract.rig import Peer, identity
from tests.e2e.engines.fault_proxy import FaultProxy
from tests.e2e.engines.servers import Redis, Server, free_port

LEASE = 2.0


class WithSocket(Redis):
    """One that listens on a socket too."""

    def __init__(self, found: Path, folder: Path) -> None:
        super().__init__(found, folder, more=("--unixsocket", "socket"))


class Encrypted(Redis):
    """One that speaks TLS, with a certificate that nobody has signed."""

    def __init__(self, found: Path, folder: Path) -> None:
        self.tls_port = free_port()
        self.authority = folder / "server.pem"
        files = ("--tls-cert-file", "server.pem", "--tls-key-file", "server.key", "--tls-auth-clients", "no")
        super().__init__(found, folder, more=("--tls-port", str(self.tls_port), *files))

    def _prepare(self) -> None:
        command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem -days 2"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command.split(), *subject], cwd=self.folder, check=True, capture_output=True)


class ClusterNode(Redis):
    """A node of a cluster that has no slots yet."""

    def __init__(self, found: Path, folder: Path) -> None:
        self.bus = free_port()  # the usual one, 10000 above the other, may not exist
        super().__init__(found, folder, more=("--cluster-enabled", "yes", "--cluster-port", str(self.bus)))


def admin(server: Server) -> Any:
    """The server's administrator."""
    return redis.Redis(port=server.port)


def on(server: Server | FaultProxy, *, lease: float = LEASE, slow_look: float = 0.05) -> RedisStore:
    """A process's view of the server."""
    url = server.url if isinstance(server, Server) else f"redis://127.0.0.1:{server.port}"
    return RedisStore(Place.of(Address.of(url)), prefix="onepoller", lease=lease, slow_look=slow_look)


async def peer(server: Server | FaultProxy, *, lease: float = LEASE, slow_look: float = 0.05) -> Peer:
    """One with a session."""
    store = on(server, lease=lease, slow_look=slow_look)
    return Peer(store=store, session=await store.open(identity()))


async def again(old: Peer) -> Peer:
    """Open the next session of a process whose session is over."""
    await old.store.close(old.session)
    return Peer(store=old.store, session=await old.store.open(identity()))


async def hear_of(one: Peer, session: SessionId) -> None:
    """Watch until something is told of this session."""
    changes = cast("AsyncGenerator[Change, None]", one.store.watch(one.session))
    async with aclosing(changes):
        async for change in changes:
            if change.session == session:
                return


def wait_wished(server: Server, prefix: str) -> None:
    """Wait until somebody stands in line: who says that it stands by is about to."""
    while not list(admin(server).scan_iter(f"{{{prefix}}}:wishes:*")):
        time.sleep(0.02)
