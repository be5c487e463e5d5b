"""The servers themselves: they start, are frozen and killed, and start again on what they had."""

from __future__ import annotations

import pytest

from tests.e2e.engines.servers import Etcd, OwnServer, PostgreSQL, Redis, Server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", [Redis, PostgreSQL, Etcd])
def test_a_server_starts_again_after_its_death(own_server: OwnServer, kind: type[Server]) -> None:
    """On the same port and folder."""
    server = own_server(kind)
    before = server.pid
    server.freeze()
    server.thaw()
    server.kill()
    server.start()
    assert server.pid != before
    server.stop()
    server.start()
