"""URLs of stores: what is shown holds no password, and what is wrong is said in one sentence."""

from __future__ import annotations

import pytest

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.engine import Address


def test_what_is_shown_holds_no_password() -> None:
    """Neither the text for people nor the repr."""
    address = Address.of("redis://bots:s3cr%40t@cache.test:6380/2?prefix=one")
    assert address.shown == "redis://cache.test:6380/2"
    assert "s3cr" not in repr(address)
    assert address.prefix == "one"


def test_an_address_in_brackets_is_shown_in_brackets() -> None:
    """IPv6."""
    assert Address.of("redis://[::1]:6380/2").shown == "redis://[::1]:6380/2"


def test_names_on_the_server_begin_as_ours_do() -> None:
    """Where the URL says nothing."""
    assert Address.of("redis://cache.test").prefix == "onepoller"


@pytest.mark.parametrize("url", ["redis://u:p#ss@[h", "redis://h:port", "redis://h?prefix"])
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    """A password with a special character is the usual reason."""
    with pytest.raises(SettingsError, match="special characters") as raised:
        Address.of(url)
    assert url not in str(raised.value)


def test_a_prefix_is_a_plain_word() -> None:
    """It becomes part of keys, schemas and object names."""
    with pytest.raises(SettingsError, match="prefix must be"):
        _ = Address.of("redis://h?prefix=No%20way").prefix


def test_an_option_that_is_not_known_is_named() -> None:
    """A typing error must not go unnoticed."""
    with pytest.raises(SettingsError, match="no option 'prefxi', only prefix"):
        Address.of("redis://h?prefxi=a").check_options({"prefix"})


def test_a_scheme_that_is_not_known_is_answered_with_those_that_are() -> None:
    """All of them."""
    with pytest.raises(SettingsError, match="file://, redis://"):
        choose("mysql://h/db", state_dir=None, lease=10.0)


def test_a_directory_has_three_slashes() -> None:
    """Two would make the first folder a host."""
    with pytest.raises(SettingsError, match="three slashes"):
        choose("file://srv/bots", state_dir=None, lease=10.0)


@pytest.mark.parametrize(
    "url", ["redis://h:1,h:2/0", "postgresql://me:secret@h:1,h:2/db", "kubernetes://a:1,b:2"]
)
def test_where_one_server_is_taken_several_are_refused(url: str) -> None:
    """In one sentence that says nothing of a password."""
    with pytest.raises(SettingsError, match=r"takes one server, not several\.$"):
        choose(url, state_dir=None, lease=10.0)
