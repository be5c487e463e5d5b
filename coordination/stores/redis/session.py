"""Our own session on a Redis server."""

from __future__ import annotations

from collections.abc import Callable

from onepoller.coordination.identity import SessionId, boot_clock
from onepoller.coordination.stores.engine import EngineSession
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.redis.beginning import Beginning

_SMALL = 4096
"""A report of so many bytes goes with every beat; a larger one at most once a lease."""


class RedisSession(EngineSession):
    """It lives in the data that had this beginning, and in no others."""

    def __init__(
        self,
        session_id: SessionId,
        *,
        lease: Lease,
        begun: Beginning,
        sent_at: float,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        super().__init__(session_id, lease=lease, sent_at=sent_at, clock=clock)
        self.begun = begun
        self._report = b""
        self._reported_at = float("-inf")

    def owes(self, report: bytes) -> bool:
        """Whether this report goes with a beat that is sent now."""
        if report == self._report:
            return False
        return len(report) <= _SMALL or self._clock() >= self._reported_at + self._lease.seconds

    def reported(self, report: bytes, *, sent_at: float) -> None:
        """A beat with this report was answered."""
        self._report, self._reported_at = report, sent_at
