"""The PostgreSQL store: claims in tables of a schema of its own, and a process's life in its connection.

Two modes. *Connection*: each process holds one advisory lock on one connection, which the server ends when it
was silent for a lease, and a beat in place of the lock where something lies between; wake-ups by NOTIFY.
*Pooler*: sessions are rows with a beat on the server's clock, for
connections through PgBouncer and the like, where locks and LISTEN mean nothing. The client, asyncpg, is
imported here and nowhere above.
"""

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.postgresql.store import PostgreSQLStore

__all__ = ["PostgreSQLStore", "make"]


def make(address: Address, *, lease: float) -> PostgreSQLStore:
    """A store that has been checked and not opened. Raises SettingsError."""
    return PostgreSQLStore(address, lease=lease)
