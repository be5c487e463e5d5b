"""Who we are at an API server, over real TLS: as a pod, and by a kubeconfig; and what a refusal says."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onepoller.coordination.errors import StoreUnavailable, StoreUnfit
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.kubernetes import access, make
from onepoller.testing.store_contract.rig import Peer, identity
from tests.e2e.engines.kubernetes_api.authority import Authority
from tests.e2e.engines.kubernetes_api.peers import Namespace, failed
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes
from tests.e2e.engines.kubernetes_api.state import TOKEN
from tests.e2e.engines.servers import Require

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
NEXT_TOKEN = "the-token-after-that"
Serve = Callable[..., FakeKubernetes]


@pytest.fixture
def authority(require_program: Require, tmp_path: Path) -> Authority:
    """Give an authority of the test's own."""
    return Authority(require_program("openssl"), tmp_path)


@pytest.fixture
def serve(authority: Authority) -> Iterator[Serve]:
    """Give a maker of API servers with TLS."""
    made: list[FakeKubernetes] = []

    def start(**options: Any) -> FakeKubernetes:
        made.append(FakeKubernetes(tls=authority.server_context(**options)).start())
        return made[-1]

    yield start
    for api in made:
        api.close()


async def take_and_go(url: str) -> None:
    """What a process does in short."""
    store = make(Address.of(url), lease=5)
    one = Peer(store=store, session=await store.open(identity("one")))
    assert await one.take() is not None
    await store.close(one.session)


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: Authority) -> Path:
    """Give the folder of a service account, as the kubelet makes it."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes(authority.ca.read_bytes())
    (account / "namespace").write_text("bots")
    (account / "token").write_text(TOKEN + "\n")
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return account


def test_a_pod_is_its_service_account(serve: Serve, pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kubernetes:///` is enough there: server, authority, token and namespace are the pod's."""
    del pod
    api = serve()
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
    asyncio.run(take_and_go("kubernetes:///"))
    assert api.leases("bots") != {}


async def test_a_token_that_was_replaced_is_read_again(
    serve: Serve, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet replaces it within the hour; the old one is worth nothing then."""
    api = serve()
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
    store = make(Address.of("kubernetes:///"), lease=5)
    session = await store.open(identity("one"))
    api.tokens = {NEXT_TOKEN: "system:serviceaccount:bots:onepoller"}
    error = await failed(lambda: store.beat(session))
    assert isinstance(error, StoreUnavailable)
    assert "(401)" in str(error)
    assert TOKEN not in str(error)
    (pod / "next").write_text(NEXT_TOKEN)
    (pod / "next").replace(pod / "token")
    await store.beat(session)
    await store.close(session)


def test_a_server_that_another_authority_signed_is_not_spoken_to(
    serve: Serve, pod: Path, monkeypatch: pytest.MonkeyPatch, require_program: Require, tmp_path: Path
) -> None:
    """The token is not sent to a stranger."""
    api = serve()
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
    (tmp_path / "other").mkdir()
    other = Authority(require_program("openssl"), tmp_path / "other")
    (pod / "ca.crt").write_bytes(other.ca.read_bytes())
    error = asyncio.run(failed(lambda: take_and_go("kubernetes:///")))
    assert isinstance(error, StoreUnavailable)
    assert api.requests.total() == 0


def test_a_client_certificate_says_who_we_are(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    """As files, and inside of the kubeconfig."""
    api = serve(wants_clients=True)
    api.tokens = {"": "alice"}
    certificate, key = authority.sign("alice")
    config = json.loads(api.kubeconfig())
    config["users"][0]["user"] = {"client-certificate": str(certificate), "client-key": key.name}
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    (tmp_path / "files").write_text(json.dumps(config))
    asyncio.run(take_and_go(f"kubernetes:///?kubeconfig={tmp_path / 'files'}&prefix=files"))

    def inside(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    config["users"][0]["user"] = {
        "client-certificate-data": inside(certificate),
        "client-key-data": inside(key),
    }
    config["clusters"][0]["cluster"] = {"server": api.url, "certificate-authority-data": inside(authority.ca)}
    (tmp_path / "inside").write_text(json.dumps(config))
    asyncio.run(take_and_go(f"kubernetes:///?kubeconfig={tmp_path / 'inside'}&prefix=inside"))
    assert {name.partition("-")[0] for name in api.leases("bots")} == {"files", "inside"}


# Refused


def test_an_unknown_token_is_told(own_kubernetes_api: FakeKubernetes, tmp_path: Path) -> None:
    """401: the sentence says what to look at, and not the token."""
    bots = Namespace(own_kubernetes_api, tmp_path, token="a-wrong-token")
    error = asyncio.run(failed(lambda: bots.store().open(identity("one"))))
    assert isinstance(error, StoreUnfit)
    assert str(error) == (
        "kubernetes://bots: the API server does not know who we are (401): check the service account's token,"
        " or the token or certificate of the kubeconfig."
    )


def test_a_missing_namespace_is_told(namespace: Namespace) -> None:
    """A list of it would be empty; a Lease cannot be made there."""
    url = namespace.url.replace("//bots", "//nowhere")
    error = asyncio.run(failed(lambda: make(Address.of(url), lease=5).open(identity("one"))))
    assert isinstance(error, StoreUnfit)
    assert "there is no namespace nowhere" in str(error)


@pytest.mark.parametrize("answer", ["<html>Welcome</html>", "[]", "{}"])
async def test_what_is_no_api_server_is_told(tmp_path: Path, answer: str) -> None:
    """Whatever it answers 200 with."""

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
        writer.write((head + answer).encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(welcome, "127.0.0.1", 0) as server:
        config = {
            "current-context": "one",
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            "clusters": [{"name": "one", "cluster": {"server": _address(server)}}],
            "users": [{"name": "one", "user": {}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        store = make(Address.of(f"kubernetes://bots?kubeconfig={tmp_path / 'config'}"), lease=5)
        error = await failed(lambda: store.open(identity("one")))
        assert isinstance(error, StoreUnfit)
        assert "what answers there is no Kubernetes API server" in str(error)


def _address(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_a_server_that_is_not_there_is_waited_for(namespace: Namespace) -> None:
    """It may come back."""
    namespace.api.stop()
    error = asyncio.run(failed(lambda: namespace.store().open(identity("one"))))
    namespace.api.start()
    assert isinstance(error, StoreUnavailable)
    assert str(error) == (
        "kubernetes://bots does not answer: check that the API server can be reached from here."
    )
