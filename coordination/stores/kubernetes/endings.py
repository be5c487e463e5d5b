"""How another session is ended: by a write to its own Lease that a sign of life would have defeated.

Kubernetes changes one object at a time, so the proof and the claim are two writes: first the session's Lease
says that it is over, on the condition that it is still the version that we saw silent; then the claims are
swapped. That is as good as one step, because *over* is for good: nobody ever writes it back, and a session
that is over cannot beat (its own write expects a version that is gone), so what was true at the first write
is true at the second.
"""

from __future__ import annotations

import time

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.kubernetes.client import Client
from onepoller.coordination.stores.kubernetes.failure import Conflict, Missing
from onepoller.coordination.stores.kubernetes.names import Names
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease
from onepoller.coordination.stores.seam import Liveness

_TRIES = 5


class Endings:
    """Ends sessions that are silent by our own observation, or on a proof of the caller's."""

    def __init__(self, client: Client, names: Names, observer: Observer) -> None:
        self._client = client
        self._names = names
        self._observer = observer

    async def is_over(self, session_id: SessionId) -> bool:
        """Whether a session is over; one that is silent is made so."""
        for _ in range(_TRIES):
            seen = await self._look(session_id)
            liveness = self._observer.liveness(session_id)
            if liveness is not Liveness.SILENT or seen is None:
                return liveness is Liveness.OVER
            await self._mark(seen)
        return False

    async def end(self, session_id: SessionId) -> None:
        """End a session on the caller's proof. Raises StoreUnavailable."""
        for _ in range(_TRIES):
            seen = await self._look(session_id)
            if self._observer.is_over(session_id):
                return
            if seen is not None:
                await self._mark(seen)
        raise StoreUnavailable(f"The Lease of session {session_id} does not stand still; it is tried again.")

    async def forget(self, seen: SessionLease) -> None:
        """Delete the Lease of a session that is over, and with it, by the cluster, its wishes and report."""
        if seen.is_over and seen.kept is not None:
            try:
                await self._client.delete(seen.kept)
            except (Conflict, Missing):
                return  # somebody else did

    async def _look(self, session_id: SessionId) -> SessionLease | None:
        if self._observer.is_over(session_id):
            return None
        lease = await self._client.get(self._names.session(session_id))
        if lease is None:
            self._observer.over(session_id)
            return None
        seen = SessionLease.of(lease)
        if seen is not None:
            self._observer.see(seen)
        return seen

    async def _mark(self, seen: SessionLease) -> None:
        ended = seen.ended()
        try:
            await self._client.update(ended.body(self._names, now=time.time()))
        except (Conflict, Missing):
            return  # it has beaten, or somebody else was first: look again
        self._observer.see(ended)
