"""The store on a Redis server. Everything that speaks to Redis is in here."""

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.store import RedisStore

__all__ = ["RedisStore", "make"]


def make(address: Address, *, lease: float) -> RedisStore:
    """A store that has been checked and not opened. Raises SettingsError."""
    return RedisStore(Place.of(address), prefix=address.prefix, lease=lease)
