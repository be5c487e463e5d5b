"""What every store promises, against a real PostgreSQL: connected to itself, and through a pooler."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.postgresql import PostgreSQLStore, make
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract
from tests.e2e.engines.servers import PgBouncer, PostgreSQL

pytestmark = pytest.mark.slow

LATE = 0.1
"""So long a server may take to see that a lease is over, seconds."""


class PostgreSQLContract(StoreContract):
    """Each peer is a store object of its own, as it would be in a process of its own."""

    lease = 1.0  # a beat has a quarter of it
    url: str

    async def store(self) -> Store:
        self.prefix = f"t{secrets.token_hex(6)}"
        return self._made()

    async def handle(self, store: Store) -> Store:  # noqa: ARG002  # they meet on the server
        return self._made()

    def _made(self) -> PostgreSQLStore:
        mark = "&" if "?" in self.url else "?"
        return make(Address.of(f"{self.url}{mark}prefix={self.prefix}"), lease=self.lease)

    async def kill(self, store: Store, session: Session) -> None:
        """Close the sockets without a word, as the kernel does."""
        assert isinstance(store, PostgreSQLStore)
        store._line.sessions.clear()
        watch = store._line.watches.pop(session.id, None)
        if watch is not None and watch._ring is not None:
            await watch._ring.stop()
        store._line.drop()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds + LATE)


class TestConnection(PostgreSQLContract):
    """A session is a lock on a connection."""

    @pytest.fixture(autouse=True)
    def _server(self, postgresql_server: PostgreSQL) -> None:
        self.url = postgresql_server.url


class TestPooler(PostgreSQLContract):
    """A session is a row with a beat, through PgBouncer in transaction mode."""

    @pytest.fixture(autouse=True)
    def _server(self, pgbouncer: PgBouncer) -> None:
        self.url = f"{pgbouncer.url}?mode=pooler"
