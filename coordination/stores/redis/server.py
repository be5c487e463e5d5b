"""What a server says about itself when we connect: who it is, and what may lose our data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onepoller.coordination.errors import StoreUnfit

OLDEST = 6
"""Its major version."""
SECTIONS = ("server", "memory", "replication")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One run of a server: after a restart, or on another machine, it is another one."""

    run: str
    trouble: str
    """One sentence where it may lose what it was told, else empty."""

    @classmethod
    def of(cls, info: str, *, shown: str) -> Server:
        """From what INFO says. Raises StoreUnfit where it is too old."""
        said = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        version = said.get("redis_version", "0")
        if int(version.partition(".")[0]) < OLDEST:
            raise StoreUnfit(f"{shown} is Redis {version}, which is too old: it takes {OLDEST}.0 or newer.")
        return cls(run=said.get("run_id", ""), trouble=_trouble(said, shown))


def _trouble(said: Mapping[str, str], shown: str) -> str:
    policy = said.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return (
            f"{shown} may drop claims when its memory is full (maxmemory-policy {policy}):"
            " set maxmemory-policy noeviction."
        )
    # This line is there only where both settings are.
    if said.get("connected_slaves", "0") != "0" and "min_slaves_good_slaves" not in said:
        return (
            f"{shown} has replicas and does not wait for them: after a fail-over two may poll for a while;"
            " set min-replicas-to-write 1."
        )
    return ""
