"""Our own session on a Redis server."""

from __future__ import annotations

from collections.abc import Callable

from onepoller.coordination.identity import SessionId, boot_clock
from onepoller.coordination.stores.engine import EngineSession, Reports
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.redis.beginning import Beginning


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
        self.reports = Reports(large_every=lease.seconds)
