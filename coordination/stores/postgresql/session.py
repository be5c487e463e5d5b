"""Our session: the connection it was last proved on, and what it has reported."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId, Term, boot_clock
from onepoller.coordination.stores.engine import EngineSession, Reports
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.postgresql.link import Link


class PostgreSQLSession(EngineSession):
    """Alive from its opening until it is over."""

    def __init__(
        self, session_id: SessionId, *, lease: Lease, sent_at: float, link: Link, begun: Term
    ) -> None:
        super().__init__(session_id, lease=lease, sent_at=sent_at)
        self.is_locked = link.is_direct
        """Whether others take the end of our connection for ours; else they wait for a lease of silence."""
        self.begun = begun
        """The first term of the data that it lives in."""
        self.link: Link | None = link
        """Where it was proved; None: that connection was lost."""
        self.rehearsed_on: Link | None = None
        self.reports = Reports(large_every=lease.seconds, large=8192)  # a page of the server

    def has_claim(self, bot_id: BotId, term: Term) -> bool:
        """Also a look at the connection: where it is cut, the lock may be free, and our loop may be slow."""
        if not super().has_claim(bot_id, term):
            return False
        link = self.link
        return link is None or not (self.is_locked and link.is_cut())

    def lose_link(self) -> None:
        """Its connection is lost. If its lock may be free, deliver nothing until it is proved again."""
        self.link = None
        if not self.is_locked:
            return
        self._beaten_at = min(self._beaten_at, boot_clock() - self._lease.seconds)
