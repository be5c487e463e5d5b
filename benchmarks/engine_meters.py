"""How much a server has been asked to do so far, as it counts itself. Only differences mean something."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import httpx
import redis
from engine_servers import Place, Servers, find

TRANSACTIONS = b"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = :'database'"


def _redis(place: Place, _servers: Servers) -> Callable[[], int]:
    client = redis.Redis.from_url(place.control)
    client.ping()

    def commands() -> int:
        return sum(of["calls"] for name, of in client.info("commandstats").items() if name != "cmdstat_info")

    return commands


def _postgresql(place: Place, _servers: Servers) -> Callable[[], int]:
    server, _, database = place.control.rpartition("/")
    elsewhere = [find("psql"), f"{server}/template1", "-tA", "-v", f"database={database}"]

    def transactions() -> int:
        return int(subprocess.check_output(elsewhere, input=TRANSACTIONS))

    return transactions


def _etcd(place: Place, _servers: Servers) -> Callable[[], int]:
    received = re.compile(r"^grpc_server_msg_received_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)

    def messages() -> int:
        text = httpx.get(f"{place.control}/metrics", trust_env=False).raise_for_status().text
        return int(sum(map(float, received.findall(text))))

    return messages


def _kubernetes(_place: Place, servers: Servers) -> Callable[[], int]:
    fake = servers.kubernetes
    assert fake is not None
    return lambda: sum(fake.requests.values())


METERS: dict[str, Callable[[Place, Servers], Callable[[], int]]] = {
    "Redis": _redis,
    "PostgreSQL": _postgresql,
    "PostgreSQL, pooler": _postgresql,
    "etcd": _etcd,
    "Kubernetes (fake)": _kubernetes,
}
"""Commands, transactions, messages, requests."""
