"""What our Leases are called, and the labels by which they are found.

<prefix>-session-<id>   one for each process: it lives, and who it is
<prefix>-wishes-<id>    what that process waits for, where it waits
<prefix>-report-<id>    what it says of its bots, where that is long
<prefix>-bot-<bot id>   one for each bot: who polls it
"""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.identity import BotId, SessionId

STORE = "onepoller/store"
KIND = "onepoller/kind"
SESSION = "onepoller/session"
"""Label: whose wishes or report it is; of a bot's Lease: which session holds it."""

SESSIONS, WISHES, REPORTS, BOTS = "session", "wishes", "report", "bot"


@dataclass(frozen=True, slots=True)
class Names:
    """The names and labels of one store in its namespace."""

    prefix: str

    def session(self, session_id: SessionId) -> str:
        """Of a session's Lease."""
        return f"{self.prefix}-session-{session_id}"

    def wishes(self, session_id: SessionId) -> str:
        """Of the Lease that holds a session's wishes."""
        return f"{self.prefix}-wishes-{session_id}"

    def report(self, session_id: SessionId) -> str:
        """Of the Lease that holds a session's long report."""
        return f"{self.prefix}-report-{session_id}"

    def bot(self, bot_id: BotId) -> str:
        """Of a bot's Lease."""
        return f"{self.prefix}-bot-{bot_id}"

    def labels(self, kind: str, session_id: SessionId | None = None) -> dict[str, str]:
        """What a Lease of this kind is found by."""
        labels = {"app.kubernetes.io/managed-by": "onepoller", STORE: self.prefix, KIND: kind}
        if session_id is not None:
            labels[SESSION] = session_id
        return labels

    @property
    def everything(self) -> str:
        """Selects all Leases of this store."""
        return f"{STORE}={self.prefix}"

    @property
    def processes(self) -> str:
        """Selects sessions and their wishes: few and small, however many bots there are."""
        return f"{self.everything},{KIND}!={BOTS},{KIND}!={REPORTS}"

    @property
    def bots(self) -> str:
        """Selects the Leases of all bots."""
        return f"{self.everything},{KIND}={BOTS}"

    @property
    def reports(self) -> str:
        """Selects the long reports."""
        return f"{self.everything},{KIND}={REPORTS}"

    def held_by(self, session_id: SessionId) -> str:
        """Selects the Leases of the bots that this session holds."""
        return f"{self.bots},{SESSION}={session_id}"
