"""An etcd that cannot be used says so in one sentence, and no password is in it, nor in any log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from onepoller.coordination.errors import OnepollerError
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd import EtcdStore, make
from onepoller.testing.botapi import Control
from tests.e2e.engines.etcd_calls import certificates, count, grant_users, me, on, set_password, take
from tests.e2e.engines.servers import Etcd, Require, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
NO_RIGHTS = (
    "StoreUnfit: etcd://127.0.0.1:{port} does not let this user read and write: its role needs"
    " `etcdctl role grant-permission ROLE readwrite onepoller/ --prefix`."
)


class SecureEtcd(Etcd):
    """Speaks TLS, with certificates of its folder, and wants one of its clients."""

    def _command(self) -> list[str]:
        plain = f"http://127.0.0.1:{self.port}"
        files = ("--cert-file", "server.pem", "--key-file", "server.key", "--trusted-ca-file", "ca.pem")
        secure = [word.replace(plain, plain.replace("http", "https")) for word in super()._command()]
        return [*secure, *files, "--client-cert-auth"]


@pytest.fixture(scope="module")
def guarded(require_program: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """Give an etcd with users."""
    server = Etcd(require_program("etcd"), tmp_path_factory.mktemp("guarded")).start()
    grant_users(server, "onepoller")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def secure(require_program: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureEtcd]:
    """Give an etcd with certificates."""
    folder = tmp_path_factory.mktemp("secure")
    certificates(require_program("openssl"), folder)
    server = SecureEtcd(require_program("etcd"), folder).start()
    yield server
    server.kill()


def at(url: str) -> EtcdStore:
    """A store."""
    return make(Address.of(url), lease=1.0)


def said(store: EtcdStore) -> str:
    """What opening and closing a session says."""

    async def body() -> None:
        session = await store.open(me())
        await store.close(session)

    try:
        asyncio.run(body())
    except OnepollerError as error:
        return f"{type(error).__name__}: {error}"
    return "well"


def test_nobody_there() -> None:
    """It is tried again by whoever called."""
    url = f"etcd://127.0.0.1:{free_port()}"
    assert said(at(url)) == f"StoreUnavailable: {url} does not answer."


def test_the_next_member_is_asked(etcd_server: Etcd) -> None:
    """One of several that is not there hinders nobody."""
    assert said(at(f"etcd://127.0.0.1:{free_port()},127.0.0.1:{etcd_server.port}")) == "well"


def test_something_else_is_there(fake_server: Control) -> None:
    """A server that has no /v3."""
    assert "StoreUnfit" in said(at(fake_server.url.replace("http", "etcd")))


@pytest.mark.parametrize(
    ("login", "sentence"),
    [
        ("bots:s3cr3t%40x", "well"),
        ("bots:wr0ng", "StoreUnfit: etcd://127.0.0.1:{port} refuses the user and password in store=."),
        (
            "",
            "StoreUnfit: etcd://127.0.0.1:{port} wants a user and a password: etcd://USER:PASSWORD@HOST:PORT.",
        ),
        ("guest:gu3st", NO_RIGHTS),
    ],
)
def test_users(guarded: Etcd, caplog: pytest.LogCaptureFixture, login: str, sentence: str) -> None:
    """The right one comes in, the others are told what to do, and no password is said or logged."""
    assert said(on(guarded, "onepoller", login=login)) == sentence.format(port=guarded.port)
    for secret in ("s3cr3t", "wr0ng", "gu3st"):
        assert secret not in caplog.text


def test_a_user_where_there_are_none(etcd_server: Etcd) -> None:
    """Is one too many."""
    assert "leave the user and password out" in said(on(etcd_server, "onepoller", login="a:b"))


async def test_a_login_that_has_passed_is_made_again(guarded: Etcd) -> None:
    """Who sets a password anew ends what was logged in with the old one; the session goes on."""
    store = on(guarded, "onepoller", lease=10.0, login="bots:s3cr3t%40x")
    session = await store.open(me())
    set_password(guarded, "bots", "s3cr3t@x")
    await store.beat(session)
    set_password(guarded, "bots", "s3cr3t@x")
    assert (await store.swap(session, take([BotId(7000000001)], session))).written
    await store.close(session)


def test_tls(secure: SecureEtcd) -> None:
    """With our authority and our certificate it is well; what is missing is named."""
    where = f"127.0.0.1:{secure.port}"
    ca, ours = f"ca={secure.folder}/ca.pem", f"cert={secure.folder}/client.pem&key={secure.folder}/client.key"
    assert said(at(f"etcds://{where}?{ca}&{ours}")) == "well"
    assert "give ?ca=FILE" in said(at(f"etcds://{where}?{ours}"))
    assert "want a certificate of ours (?cert=FILE&key=FILE)" in said(at(f"etcds://{where}?{ca}"))
    assert "it may speak TLS (write etcds://)" in said(at(f"etcd://{where}"))


def test_no_tls(etcd_server: Etcd) -> None:
    """The other way round."""
    assert "it may speak no TLS (write etcd://)" in said(at(f"etcds://127.0.0.1:{etcd_server.port}"))


def test_who_only_reads_leaves_nothing_behind(etcd_server: Etcd) -> None:
    """`onepoller status` on a server that we never used."""
    snapshot = asyncio.run(on(etcd_server, "untouched").read())
    assert not snapshot.claims
    assert count(etcd_server, "untouched") == 0
