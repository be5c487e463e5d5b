"""Our own session: the lease behind it, and what it has written."""

from __future__ import annotations

import asyncio

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.engine import EngineSession, Reports
from onepoller.coordination.stores.etcd.wishes import OwnWishes
from onepoller.coordination.stores.lease import Lease

_LARGE_REPORT_EVERY = 30.0
"""Seconds: etcd keeps what was written before until it is compacted."""


def over(session: SessionId) -> SessionOver:
    """The error to raise for a session that is over."""
    return SessionOver(f"Session {session} is over; open a new one.")


class EtcdSession(EngineSession):
    """Alive as long as its key is there."""

    def __init__(
        self, session_id: SessionId, *, lease: Lease, sent_at: float, lease_id: int, floor: Term, losses: int
    ) -> None:
        super().__init__(session_id, lease=lease, sent_at=sent_at)
        self.lease_id = lease_id
        self.floor = floor
        """No claim that it writes has a lower term."""
        self.losses = losses
        """See `Gateway`, when it was opened."""
        self.wishes = OwnWishes()
        self.writing = asyncio.Lock()
        """Held while wishes are written, one batch after the other."""
        self.is_closed = False
        self.reports = Reports(large_every=_LARGE_REPORT_EVERY)

    @property
    def held(self) -> list[BotId]:
        """The bots that are ours as far as we have heard."""
        return list(self._held)
