"""What a store on a server can do beyond the seam."""

from __future__ import annotations

from typing import Protocol

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.seam import Session, Store


class EngineStore(Store, Protocol):
    """A store that cannot see by itself whether a process of this host is dead."""

    async def end(self, session: Session, dead: SessionId) -> None:
        """Mark another session over, as our own session, on a proof of the caller's.

        From then on it is over for everybody, as if its lease had passed and a swap had required it over.
        Without effect where it is over or unknown. Raises SessionOver where our own session is over.
        """
        ...
