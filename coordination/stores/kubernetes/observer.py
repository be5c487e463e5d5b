"""What we have seen of other sessions, by our own clock: the only ground on which one is taken for silent.

Wall clocks of two hosts are never compared. A session is silent when its beat has not changed for one of its
leases of our own monotonic time, counted from when we first saw that beat, which is later than it was sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease
from onepoller.coordination.stores.seam import Liveness


@dataclass(slots=True)
class Sighting:
    """The last sign of life of one session."""

    beats: int
    at: float
    """Our own clock."""
    lease: float


class Observer:
    """Sightings of all sessions that are not over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sightings: dict[SessionId, Sighting] = {}
        self._over: set[SessionId] = set()

    def see(self, seen: SessionLease) -> None:
        """This is how a session's Lease is."""
        if seen.is_over:
            self.over(seen.id)
            return
        known = self._sightings.get(seen.id)
        # An older answer may come later: beats only grow.
        if seen.id not in self._over and (known is None or known.beats < seen.beats):
            self._sightings[seen.id] = Sighting(seen.beats, self._clock(), seen.lease)

    def over(self, session_id: SessionId) -> None:
        """It is over, or there is no such session any more."""
        self._over.add(session_id)
        self._sightings.pop(session_id, None)

    def is_over(self, session_id: SessionId) -> bool:
        """Whether that is known; it never changes again."""
        return session_id in self._over

    def silence(self, session_id: SessionId) -> float:
        """Seconds since we saw its last sign of life; 0 for one that we have never seen."""
        sighting = self._sightings.get(session_id)
        return self._clock() - sighting.at if sighting else 0.0

    def liveness(self, session_id: SessionId) -> Liveness:
        """What we know of it."""
        if session_id in self._over:
            return Liveness.OVER
        sighting = self._sightings.get(session_id)
        is_silent = sighting is not None and self._clock() - sighting.at >= sighting.lease
        return Liveness.SILENT if is_silent else Liveness.ALIVE

    def silent_at(self) -> dict[SessionId, float]:
        """When each becomes silent if nothing more is seen of it, on our clock."""
        return {session_id: seen.at + seen.lease for session_id, seen in self._sightings.items()}

    def drop_all_but(self, present: set[SessionId]) -> list[SessionId]:
        """Forget the sightings of whoever is not there any more; gives those.

        Not a proof: what is compared may have been read before one of them was made.
        """
        gone = [session_id for session_id in self._sightings if session_id not in present]
        for session_id in gone:
            del self._sightings[session_id]
        return gone

    def now(self) -> float:
        """Our clock."""
        return self._clock()
