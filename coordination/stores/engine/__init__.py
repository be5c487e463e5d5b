"""What the stores on a server have in common: an address, and a session whose deadline is its fence."""

from onepoller.coordination.stores.engine.address import Address
from onepoller.coordination.stores.engine.aftermath import Aftermath
from onepoller.coordination.stores.engine.reports import Reports
from onepoller.coordination.stores.engine.session import EngineSession
from onepoller.coordination.stores.engine.store import EngineStore

__all__ = ["Address", "Aftermath", "EngineSession", "EngineStore", "Reports"]
