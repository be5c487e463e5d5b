"""What a server says of itself."""

from __future__ import annotations

import pytest

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.redis.server import Server


def info(**said: object) -> str:
    """An answer to INFO."""
    lines = {"redis_version": "7.0.15", "run_id": "abc", "connected_slaves": 0} | said
    return "# Server\r\n" + "\r\n".join(f"{name}:{value}" for name, value in lines.items())


def test_a_run_of_a_server_has_a_name() -> None:
    """Another one after each start."""
    assert Server.of(info(), shown="redis://cache.test") == Server(run="abc", trouble="")


@pytest.mark.parametrize("version", ["5.0.14", "4.0", "0"])
def test_too_old_a_server_is_one_sentence(version: str) -> None:
    """It says what it takes."""
    with pytest.raises(StoreUnfit, match=rf"Redis {version}, which is too old: it takes 6.0 or newer"):
        Server.of(info(redis_version=version), shown="redis://cache.test")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"maxmemory_policy": "noeviction"}, ""),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy allkeys-lru"),
        ({"maxmemory_policy": "volatile-lru"}, "maxmemory-policy volatile-lru"),
        ({"connected_slaves": 1}, "min-replicas-to-write"),
        ({"connected_slaves": 1, "min_slaves_good_slaves": 1}, ""),
    ],
)
def test_what_may_lose_claims_is_told(said: dict[str, object], says: str) -> None:
    """One sentence, or none."""
    trouble = Server.of(info(**said), shown="redis://cache.test").trouble
    assert says in trouble
    assert bool(trouble) is bool(says)
