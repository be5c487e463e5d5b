"""The store on etcd 3.4 or later, spoken to through its JSON gateway.

Belongs here: what knows etcd. Does not belong here: policy, and anything another store needs too.
"""

from __future__ import annotations

from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd.endpoints import Endpoints
from onepoller.coordination.stores.etcd.store import SHORTEST_LEASE, EtcdStore

__all__ = ["SHORTEST_LEASE", "EtcdStore", "make"]


def make(address: Address, *, lease: float) -> EtcdStore:
    """The store of a URL, checked and not connected. Raises SettingsError or StoreUnfit, one sentence."""
    endpoints = Endpoints.of(address)
    return EtcdStore(endpoints, prefix=address.prefix, lease=lease)
