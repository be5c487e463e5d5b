"""What every store promises, as tests: subclass `StoreContract`, give it a store, and let pytest collect it.

    class TestMyStore(StoreContract):
        lease = 10.0

        async def store(self): ...                 # a new, empty one
        async def handle(self, store): ...         # another process's view of the same
        async def kill(self, store, session): ...
        async def pass_time(self, seconds): ...

Each test states one promise of `onepoller.coordination.stores.seam`. pytest is needed only to collect them.
Not here: what one store alone can do (lost files, full disks), and races between real processes.
"""

from onepoller.testing.store_contract.claims import ClaimPromises
from onepoller.testing.store_contract.sessions import SessionPromises
from onepoller.testing.store_contract.watches import WatchPromises
from onepoller.testing.store_contract.wishes import WishPromises

__all__ = ["StoreContract"]


class StoreContract(SessionPromises, ClaimPromises, WishPromises, WatchPromises):
    """The promises of sessions, claims, wishes and watches."""
