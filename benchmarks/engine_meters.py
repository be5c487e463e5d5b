"""How much a server has been asked to do so far, as it counts itself. Only differences mean something.

PostgreSQL counts the transactions of its own housekeeping, too, and there is the more of it the more has just
been written: ten thousand claims cost twenty, once. So it is stopped while its clients are counted.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import redis
from engine_servers import Place, Servers, find

TRANSACTIONS = b"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = :'database'"
KEEPERS = b"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"

Meter = Callable[[], int]


@contextmanager
def _redis(place: Place, _servers: Servers) -> Iterator[Meter]:
    client = redis.Redis.from_url(place.control)
    client.ping()

    def commands() -> int:
        return sum(of["calls"] for name, of in client.info("commandstats").items() if name != "cmdstat_info")

    yield commands


@contextmanager
def _postgresql(place: Place, _servers: Servers) -> Iterator[Meter]:
    server, _, database = place.control.rpartition("/")
    elsewhere = [find("psql"), f"{server}/template1", "-qtA", "-v", f"database={database}"]

    def asked(statement: bytes) -> bytes:
        return subprocess.check_output(elsewhere, input=statement)

    asked(b"ALTER SYSTEM SET autovacuum = off; SELECT pg_reload_conf();")
    while int(asked(KEEPERS)):  # those that are at work come to their end
        time.sleep(0.1)
    yield lambda: int(asked(TRANSACTIONS))
    asked(b"ALTER SYSTEM RESET autovacuum; SELECT pg_reload_conf();")


@contextmanager
def _etcd(place: Place, _servers: Servers) -> Iterator[Meter]:
    received = re.compile(r"^grpc_server_msg_received_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)

    def messages() -> int:
        text = httpx.get(f"{place.control}/metrics", trust_env=False).raise_for_status().text
        return int(sum(map(float, received.findall(text))))

    yield messages


@contextmanager
def _kubernetes(_place: Place, servers: Servers) -> Iterator[Meter]:
    fake = servers.kubernetes
    assert fake is not None
    yield lambda: sum(fake.requests.values())


METERS: dict[str, Callable[[Place, Servers], AbstractContextManager[Meter]]] = {
    "Redis": _redis,
    "PostgreSQL": _postgresql,
    "PostgreSQL, pooler": _postgresql,
    "etcd": _etcd,
    "Kubernetes (fake)": _kubernetes,
}
"""Commands, transactions, messages, requests."""
