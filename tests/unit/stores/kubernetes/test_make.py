"""What can be said of an address without asking a server, in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from onepoller.coordination.errors import SettingsError, SetupError, StoreUnfit
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.kubernetes import access, access_to, make
from onepoller.coordination.stores.kubernetes.access import Token

SECRET = "a-token-that-nobody-may-see"


def kubeconfig(**parts: Any) -> dict[str, Any]:
    """One that leads somewhere; `user` and `cluster` are added to."""
    return {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "here", "user": "me", "namespace": "mine"}},
            {"name": "two", "context": {"cluster": "here", "user": "me"}},
        ],
        "clusters": [
            {"name": "here", "cluster": {"server": "http://127.0.0.1:1/"} | parts.get("cluster", {})}
        ],
        "users": [{"name": "me", "user": parts.get("user", {"token": SECRET})}],
    }


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path / "no-account")
    monkeypatch.setenv("HOME", str(tmp_path / "no-home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a kubeconfig that leads somewhere."""
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig()))
    return path


def said(url: str) -> str:
    """What is said of a URL."""
    with pytest.raises(SetupError) as raised:
        make(Address.of(url), lease=10)
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_a_url_names_the_namespace(config: Path) -> None:
    """It comes before the context's own."""
    assert access_to(Address.of(f"kubernetes://bots?kubeconfig={config}")).namespace == "bots"


def test_without_one_the_contexts_namespace_is_meant(config: Path) -> None:
    """Or `default`, where it has none: as kubectl does."""
    one = access_to(Address.of(f"kubernetes:///?kubeconfig={config}"))
    two = access_to(Address.of(f"kubernetes:///?kubeconfig={config}&context=two"))
    assert (one.namespace, two.namespace, one.server) == ("mine", "default", "http://127.0.0.1:1")


def test_the_environment_names_a_kubeconfig(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several files are one: the first that has an entry counts."""
    monkeypatch.setenv("KUBECONFIG", f"{config.parent / 'missing'}:{config}")
    assert access_to(Address.of("kubernetes:///")).namespace == "mine"


def test_it_is_chosen_by_its_scheme(config: Path) -> None:
    """And shown without its options."""
    chosen = choose(f"kubernetes://bots?kubeconfig={config}", state_dir=None, lease=10)
    assert chosen.name == "kubernetes://bots"
    assert SECRET not in repr(chosen.make())


def test_who_we_are_is_not_shown(config: Path) -> None:
    """Neither token nor certificate is in a repr."""
    found = access_to(Address.of(f"kubernetes:///?kubeconfig={config}"))
    assert found.token.headers() == {"Authorization": f"Bearer {SECRET}"}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("kubernetes://Bots_1", "'Bots_1' cannot be the name of a namespace"),
        ("kubernetes://bots:443", "a URL for Kubernetes is kubernetes://NAMESPACE"),
        ("kubernetes://bots/more", "a URL for Kubernetes is kubernetes://NAMESPACE"),
        ("kubernetes://bots?lease=3", "knows no option 'lease'"),
        ("kubernetes://bots?prefix=one_two", "a prefix has no _"),
        ("kubernetes://bots?prefix=one-", "does not end with -"),
        ("kubernetes://bots", "there is no service account here and no kubeconfig at"),
    ],
)
def test_what_is_wrong_with_a_url_is_told(url: str, sentence: str) -> None:
    """Before anything is opened."""
    assert sentence in said(url)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"user": {"exec": {"command": "aws"}}}, "uses an exec plugin, which onepoller does not support"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "uses an auth provider"),
        ({"user": {"username": "me", "password": SECRET}}, "uses a user name and password"),
        ({"user": {"token": SECRET, "as": "root"}}, "uses impersonation"),
        ({"cluster": {"proxy-url": "http://127.0.0.1:2"}}, "uses a proxy"),
        ({"cluster": {"server": ""}}, "names no server"),
        ({"user": {"tokenFile": "missing"}}, "the token file"),
        (
            {"cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "%"}},
            "a certificate or key of the kubeconfig cannot be read",
        ),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_told(config: Path, parts: dict[str, Any], sentence: str) -> None:
    """In one sentence that says what to do, and without a secret."""
    config.write_text(json.dumps(kubeconfig(**parts)))
    assert sentence in said(f"kubernetes://bots?kubeconfig={config}")


@pytest.mark.parametrize(
    ("text", "sentence"), [("{", "cannot be read, or is no YAML"), ("- 1", "is no kubeconfig")]
)
def test_what_is_no_kubeconfig_is_told(config: Path, text: str, sentence: str) -> None:
    """Whatever it is."""
    config.write_text(text)
    assert sentence in said(f"kubernetes://bots?kubeconfig={config}")


def test_a_context_that_is_not_there_is_told(config: Path) -> None:
    """By its name."""
    assert "has no context named 'three'" in said(f"kubernetes://bots?kubeconfig={config}&context=three")


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """And only then."""
    path = tmp_path / "token"
    path.write_text("first\n")
    token = Token(path=path)
    assert token.headers() == {"Authorization": "Bearer first"}
    (tmp_path / "new").write_text("second\n")
    (tmp_path / "new").replace(path)
    assert token.headers() == {"Authorization": "Bearer second"}
    path.unlink()
    with pytest.raises(StoreUnfit):
        token.headers()


def test_a_lease_has_to_make_sense(config: Path) -> None:
    """As in every store."""
    with pytest.raises(SettingsError):
        make(Address.of(f"kubernetes://bots?kubeconfig={config}"), lease=0)
