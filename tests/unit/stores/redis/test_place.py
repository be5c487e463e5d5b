"""Redis URLs: what they mean, and what is wrong with them, said before anything is opened."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis import make
from onepoller.coordination.stores.redis.place import Place


def test_a_url_names_server_database_and_user() -> None:
    """What is written in the URL with a percent sign is meant without it."""
    options = Place.of(Address.of("redis://bots:s3cr%40t@cache.test:6380/2?prefix=one")).options
    found = {name: options[name] for name in ("host", "port", "db", "username", "password")}
    assert found == {"host": "cache.test", "port": 6380, "db": 2, "username": "bots", "password": "s3cr@t"}


def test_a_url_may_name_the_server_alone() -> None:
    """Then it is the usual port, database 0 and nobody."""
    options = Place.of(Address.of("redis://cache.test")).options
    found = {name: options[name] for name in ("port", "db", "username", "password")}
    assert found == {"port": 6379, "db": 0, "username": None, "password": None}


def test_rediss_is_encrypted() -> None:
    """The s at the end is TLS."""
    assert Place.of(Address.of("rediss://cache.test")).kind is SSLConnection


def test_a_socket_is_named_with_three_slashes() -> None:
    """Its database stands behind the question mark."""
    place = Place.of(Address.of("unix:///run/redis/redis.sock?db=3"))
    assert place.kind is UnixDomainSocketConnection
    assert (place.options["path"], place.options["db"]) == ("/run/redis/redis.sock", 3)


def test_nothing_that_people_see_holds_the_password() -> None:
    """Neither a store nor a place, by name or by repr."""
    address = Address.of("redis://:s3cret@cache.test")
    store = make(address, lease=10.0)
    assert "s3cret" not in f"{store} {store!r} {Place.of(address)!r} {Place.of(address).at('h', 1)!r}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://cache.test/bots", "a Redis database is a number"),
        ("redis://cache.test/0?db=1", "knows no option 'db', only prefix"),
        ("redis:///0", "names no server"),
        ("unix://run/redis.sock", "three slashes"),
        ("unix://", "three slashes"),
        ("unix:///run/redis.sock?db=x", "a Redis database is a number"),
        ("redis://cache.test?prefix=A{b}", "prefix must be"),
    ],
)
def test_what_is_wrong_with_a_url_is_one_sentence(url: str, says: str) -> None:
    """Said where the store is chosen, and nothing is opened."""
    with pytest.raises(SettingsError, match=says):
        choose(url, state_dir=None, lease=10.0)


def test_another_node_of_a_cluster_may_be_the_same_host() -> None:
    """A node that does not know its own address sends us to a port alone."""
    place = Place.of(Address.of("redis://cache.test:7000")).at("", 7001)
    assert (place.options["host"], place.options["port"]) == ("cache.test", 7001)
