"""What a postgresql:// URL means, and what is said where it means nothing."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.postgresql import make
from onepoller.coordination.stores.postgresql.target import Target


def target(url: str) -> Target:
    """A target with a lease of ten seconds."""
    return Target.of(Address.of(url), lease=10.0)


def test_every_part_of_a_url_is_used() -> None:
    """Special characters are written with a percent sign."""
    assert target("postgresql://me:p%40ss@db.test:6543/bots").arguments == {
        "host": "db.test",
        "port": 6543,
        "user": "me",
        "password": "p@ss",
        "database": "bots",
    }


def test_what_is_left_out_is_left_to_the_client() -> None:
    """It looks into the environment, as every PostgreSQL client does."""
    assert set(target("postgres://").arguments.values()) == {None}


def test_a_socket_is_named_as_an_option() -> None:
    """It is a directory, which no host name can be."""
    assert target("postgresql:///bots?host=/run/postgresql").arguments["host"] == "/run/postgresql"


def test_the_clients_tls_options_are_passed_on(tmp_path: Path) -> None:
    """And nothing of ours with them."""
    (tmp_path / "a b").touch()
    options = f"prefix=one&mode=pooler&sslmode=verify-full&sslrootcert={tmp_path}/a%20b"
    dsn = target(f"postgresql://db.test/bots?{options}").arguments["dsn"]
    assert parse_qs(dsn.partition("?")[2]) == {
        "sslmode": ["verify-full"],
        "sslrootcert": [f"{tmp_path}/a b"],
    }


def test_a_pooler_is_asked_for() -> None:
    """And so is trust in what lies between us and the server."""
    targets = [
        target(f"postgresql://db.test/bots{mode}") for mode in ("", "?mode=connection", "?mode=pooler")
    ]
    assert [made.is_pooled for made in targets] == [False, False, True]
    assert [made.is_trusted for made in targets] == [False, True, False]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("mode=poolr", "mode must be connection or pooler"),
        ("lease=3", "knows no option 'lease'"),
        ("sslmode=on", "sslmode must be one of disable, "),
        ("sslrootcert=/nowhere", "sslrootcert names no file that can be read"),
    ],
)
def test_a_mistake_is_told(options: str, says: str) -> None:
    """Before anything is opened."""
    with pytest.raises(SettingsError, match=says):
        make(Address.of(f"postgresql://db.test/bots?{options}"), lease=10.0)


def test_a_prefix_that_could_not_be_quoted_is_refused() -> None:
    """It becomes the name of a schema."""
    with pytest.raises(SettingsError, match="prefix must be"):
        make(Address.of('postgresql://db.test/bots?prefix=a"b'), lease=10.0)


def test_no_password_is_shown() -> None:
    """Neither by the store nor by the target."""
    url = "postgresql://me:secret@db.test/bots"
    made = make(Address.of(url), lease=10.0)
    assert "secret" not in f"{made!r} {made} {target(url)!r}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_it_is_chosen_by_its_scheme(scheme: str) -> None:
    """Nothing is opened, and what is shown holds no password."""
    chosen = choose(f"{scheme}://me:secret@db.test/bots", state_dir=None, lease=10.0)
    assert chosen.name == f"{scheme}://db.test/bots"
