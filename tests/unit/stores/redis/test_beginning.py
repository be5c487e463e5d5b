"""When the data of a server began."""

from __future__ import annotations

from onepoller.coordination.stores.redis.beginning import Beginning


def test_a_beginning_is_a_moment_and_a_run() -> None:
    """The first term is that of the moment, and a later one is larger."""
    one, later = Beginning("1796000000000 abc"), Beginning("1796000000001 abc")
    assert one.run == "abc"
    assert later.first_term > one.first_term + 1000
