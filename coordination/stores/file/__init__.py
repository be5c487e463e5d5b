"""The file store: liveness by kernel lock and beat, claims in SQLite, in one directory of this host.

Belongs here: what touches that directory. Does not belong here: policy, and anything another store needs too.
"""

from onepoller.coordination.stores.file.choice import choose_file_store
from onepoller.coordination.stores.file.store import FileStore

__all__ = ["FileStore", "choose_file_store"]
