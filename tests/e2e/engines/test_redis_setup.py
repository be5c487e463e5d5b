"""Logins, rights, sockets, TLS, clusters, and what a server may lose: each is one sentence."""

from __future__ import annotations

import asyncio
import gc
import re
import time

import pytest

from onepoller.coordination.errors import (
    SettingsError,
    StoreUnavailable,
    StoreUnfit,
)
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis import make
from onepoller.coordination.stores.seam import Wish
from onepoller.testing.store_contract.rig import BOT, Peer, identity
from tests.e2e.bots.processes import ROOT
from tests.e2e.engines.redis_peers import (
    LEASE,
    ClusterNode,
    Encrypted,
    WithSocket,
    admin,
    hear_of,
    on,
    peer,
)
from tests.e2e.engines.servers import OwnServer, Redis, Require, Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def test_a_refused_login_is_one_sentence_without_the_password(own_server: OwnServer) -> None:
    """It says what to correct, and where."""
    server = own_server(Redis)
    admin(server).config_set("requirepass", "right")
    for wrong in (f"redis://:secret%40word@127.0.0.1:{server.port}/0", server.url):
        with pytest.raises(StoreUnfit) as told:
            asyncio.run(make(Address.of(wrong), lease=LEASE).open(identity()))
        assert str(told.value) == (
            f"redis://127.0.0.1:{server.port}/0 refuses this user or password:"
            " correct them in the store's URL."
        )
        assert told.value.__cause__ is None
        assert "secret" not in repr(make(Address.of(wrong), lease=LEASE))


def test_missing_rights_are_one_sentence(own_server: OwnServer) -> None:
    """It names the page on which they stand."""
    server = own_server(Redis)
    admin(server).acl_setuser("bot", enabled=True, nopass=True, commands=["+ping", "+info"], keys=["*"])
    with pytest.raises(StoreUnfit, match="does not give this user the rights"):
        asyncio.run(make(Address.of(f"redis://bot:x@127.0.0.1:{server.port}"), lease=LEASE).open(identity()))


async def test_the_documented_rights_are_enough(own_server: OwnServer) -> None:
    """Those of docs/redis.md, word for word."""
    server = own_server(Redis)
    words = re.search(r"ACL SETUSER bot (.*)", (ROOT / "docs/redis.md").read_text())
    assert words is not None
    admin(server).execute_command("ACL", "SETUSER", "bot", *words[1].split())
    store = make(Address.of(f"redis://bot:PASSWORD@127.0.0.1:{server.port}/0"), lease=1.0)
    first = Peer(store=store, session=await store.open(identity()))
    second = Peer(store=store, session=await store.open(identity()))
    await first.take()
    await second.wish(Wish(bot_id=BOT, session=second.id))
    await hear_of(second, first.id)
    assert await second.take(requires_over=first) is not None
    await second.store.read()
    for one in (first, second):
        await one.store.close(one.session)


def test_a_wrong_database_is_one_sentence(own_server: OwnServer) -> None:
    """A server has sixteen, unless it was told otherwise."""
    server = own_server(Redis)
    with pytest.raises(SettingsError, match="has no database of that number"):
        asyncio.run(make(Address.of(f"redis://127.0.0.1:{server.port}/99"), lease=LEASE).read())


def test_a_socket_is_a_place_too(own_server: OwnServer) -> None:
    """unix:///PATH, with the database behind a question mark."""
    server = own_server(WithSocket)
    store = make(Address.of(f"unix://{server.folder}/socket?db=3"), lease=LEASE)
    assert asyncio.run(store.read()).claims == {}


def test_an_authority_of_ones_own_is_named_in_the_environment(
    own_server: OwnServer, monkeypatch: pytest.MonkeyPatch, require_program: Require
) -> None:
    """Until then its certificate is refused, in one sentence."""
    require_program("openssl")
    server = own_server(Encrypted)
    assert isinstance(server, Encrypted)
    url = f"rediss://127.0.0.1:{server.tls_port}/0"
    with pytest.raises(StoreUnfit, match="name its authority in SSL_CERT_FILE"):
        asyncio.run(make(Address.of(url), lease=LEASE).read())
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    assert asyncio.run(make(Address.of(url), lease=LEASE).read()).claims == {}
    gc.collect()  # a connection that was left half closed is a warning, and so an error


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("maxmemory-policy", "allkeys-lru", "may drop claims"),
        ("maxmemory-policy", "volatile-ttl", "may drop"),
    ],
)
def test_a_policy_that_drops_keys_is_told(
    own_server: OwnServer, caplog: pytest.LogCaptureFixture, setting: str, value: str, says: str
) -> None:
    """One sentence in the log and in status."""
    server = own_server(Redis)
    admin(server).config_set(setting, value)
    assert says in asyncio.run(on(server).read()).trouble
    assert says in caplog.text


def test_replicas_that_nobody_waits_for_are_told(own_server: OwnServer) -> None:
    """A fail-over would lose what they have not got; with min-replicas-to-write there is nothing to tell."""
    server, replica = own_server(Redis), own_server(Redis)
    admin(replica).replicaof("127.0.0.1", server.port)
    while admin(server).info("replication")["connected_slaves"] == 0:
        time.sleep(0.05)
    assert "min-replicas-to-write" in asyncio.run(on(server).read()).trouble
    admin(server).config_set("min-replicas-to-write", 1)
    assert asyncio.run(on(server).read()).trouble == ""


def test_a_replica_is_told_as_one(own_server: OwnServer) -> None:
    """It cannot be written to."""
    server, replica = own_server(Redis), own_server(Redis)
    admin(replica).replicaof("127.0.0.1", server.port)
    with pytest.raises(StoreUnavailable, match="is a replica"):
        asyncio.run(on(replica).open(identity()))


def test_a_node_of_a_cluster_sends_us_to_the_one_with_our_keys(own_server: OwnServer) -> None:
    """All keys lie on one node, and any node may be named."""

    async def body(server: Server) -> None:
        first, second = await peer(server, lease=0.6), await peer(server, lease=0.6)
        await first.take()
        await hear_of(second, first.id)
        assert await second.take(requires_over=first) is not None
        for one in (first, second):
            await one.store.close(one.session)

    named, other = own_server(ClusterNode), own_server(ClusterNode)
    assert isinstance(other, ClusterNode)
    admin(other).execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    admin(named).execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
    for node in (named, other):
        while "cluster_state:ok" not in str(admin(node).execute_command("CLUSTER", "INFO")):
            time.sleep(0.05)
    asyncio.run(body(named))
    assert admin(named).keys() == []
