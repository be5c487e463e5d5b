"""What an etcd URL means, and what is wrong with one, said without connecting."""

from __future__ import annotations

from pathlib import Path

import pytest

from onepoller import OnePoller
from onepoller.coordination.errors import SettingsError, StoreUnfit
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd import make
from onepoller.coordination.stores.etcd.endpoints import Endpoints


def test_several_members_may_be_named() -> None:
    """Each with a port, or etcd's own."""
    endpoints = Endpoints.of(Address.of("etcd://one.test:1,two.test,[::1]:3"))
    assert endpoints.urls == ["http://one.test:1", "http://two.test:2379", "http://[::1]:3"]


def test_a_secure_scheme_means_tls() -> None:
    """With the authorities that the machine trusts."""
    endpoints = Endpoints.of(Address.of("etcds://one.test"))
    assert (endpoints.urls, endpoints.tls is not None) == (["https://one.test:2379"], True)


def test_the_password_is_taken_and_never_shown() -> None:
    """Neither by the endpoints nor by the store."""
    address = Address.of("etcd://bots:s3cr%40t@one.test:1,two.test:2?prefix=fleet")
    endpoints = Endpoints.of(address)
    assert (endpoints.user, endpoints.password) == ("bots", "s3cr@t")
    shown = f"{endpoints!r} {make(address, lease=10.0)!r} {endpoints.shown}"
    assert "s3cr" not in shown
    assert endpoints.shown == "etcd://one.test:1,two.test:2"


def test_it_is_chosen_by_its_scheme() -> None:
    """What is shown of it has no password."""
    chosen = choose("etcd://bots:s3cret@one.test:1,two.test", state_dir=None, lease=10.0)
    assert (chosen.name, chosen.note) == ("etcd://one.test:1,two.test", "")


def test_a_lease_that_the_server_cannot_keep_is_longer_and_that_is_said(tmp_path: Path) -> None:
    """It knows none below 2 s, and ends each up to half a second late."""
    chosen = choose("etcd://one.test", state_dir=tmp_path, lease=2.0)
    assert (chosen.lease, chosen.note) == (3.0, "A lease of 2 s is taken as 3 s, the shortest here.")
    poller = OnePoller(store="etcd://one.test", state_dir=tmp_path, lease=2.0, environment={})
    assert poller.settings.lease == 3.0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("etcd://", "a host is missing"),
        ("etcd://one.test,", "a host is missing"),
        ("etcd://one.test:port", "this is no URL"),
        ("etcd://one.test:1,two.test:port", "this is no URL"),
        ("etcd://one.test/keys", "takes hosts and no path"),
        ("etcd://bots@one.test", "user and password go together"),
        ("etcd://one.test?ca=/x", "knows no option 'ca', only prefix"),
        ("etcds://one.test?prefixes=x", "knows no option 'prefixes', only ca, cert, key, prefix"),
        ("etcds://one.test?cert=/dev/null", "cert= and key= go together"),
        ("etcd://one.test?prefix=No", "prefix must be"),
    ],
)
def test_a_wrong_url_is_answered_with_what_to_change(url: str, sentence: str) -> None:
    """One sentence."""
    with pytest.raises(SettingsError, match=sentence):
        make(Address.of(url), lease=10.0)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Before anything connects."""
    with pytest.raises(StoreUnfit, match=r"ca=.*/none\.pem cannot be read"):
        make(Address.of(f"etcds://one.test?ca={tmp_path}/none.pem"), lease=10.0)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    """Also before anything connects."""
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(StoreUnfit, match="must be PEM files"):
        make(Address.of(f"etcds://one.test?ca={tmp_path}/ca.pem"), lease=10.0)
