"""Whether something lies between us and a server: whom it sees, and whom we are."""

from __future__ import annotations

import pytest

from onepoller.coordination.stores.postgresql.link import is_seen_as

OWN = ("10.0.0.7", 40001)


@pytest.mark.parametrize(
    ("own", "host", "port", "is_direct"),
    [
        pytest.param(OWN, "10.0.0.7", 40001, True, id="the server itself"),
        pytest.param(OWN, "10.0.0.1", 40001, False, id="an address translation"),
        pytest.param(OWN, "10.0.0.7", 40002, False, id="a proxy on our host"),
        pytest.param(OWN, None, None, False, id="a pooler that uses a Unix socket"),
        pytest.param("", None, None, True, id="a Unix socket"),
        pytest.param("", "127.0.0.1", 40001, False, id="a Unix socket to a pooler"),
        pytest.param(
            ("::ffff:10.0.0.7", 40001, 0, 0), "10.0.0.7", 40001, True, id="IPv4 in a socket of IPv6"
        ),
        pytest.param(
            ("fe80::1%eth0", 40001, 0, 2), "fe80::1", 40001, True, id="an address of a link, with its zone"
        ),
    ],
)
def test_who_is_seen_as_it_is_has_nothing_in_between(
    own: object, host: str | None, port: int | None, *, is_direct: bool
) -> None:
    """An end that only the server would see needs two connections, and so two names."""
    assert is_seen_as(own, host=host, port=port) is is_direct
