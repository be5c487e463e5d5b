"""A PostgreSQL store from a URL: all that can be checked without connecting."""

from __future__ import annotations

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.postgresql.store import PostgreSQLStore


def make(address: Address, *, lease: float) -> PostgreSQLStore:
    """A store that has opened nothing yet. Raises SettingsError."""
    return PostgreSQLStore(address, lease=lease)
