"""What lies where. Keys that are tied to a session's lease are gone when it ends."""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.identity import BotId, SessionId


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under one prefix."""

    prefix: str

    @property
    def beginning(self) -> str:
        """When our data began, and in which cluster."""
        return f"{self.prefix}/beginning"

    @property
    def generation(self) -> str:
        """Written with every change of a claim or a wish: the slow look's one key."""
        return f"{self.prefix}/generation"

    @property
    def all_alive(self) -> str:
        """The sessions that live."""
        return f"{self.prefix}/alive/"

    def alive(self, session: SessionId) -> str:
        """Of a session that lives; tied to its lease. Who wakes it writes the key once more."""
        return f"{self.all_alive}{session}"

    @property
    def all_sessions(self) -> str:
        """What is known of sessions, also of those that are over."""
        return f"{self.prefix}/sessions/"

    def record(self, session: SessionId) -> str:
        """Who it is; written once."""
        return f"{self.all_sessions}{session}/record"

    def beat(self, session: SessionId) -> str:
        """When it last beat, by the server's clock."""
        return f"{self.all_sessions}{session}/beat"

    def over(self, session: SessionId) -> str:
        """There when somebody has taken a claim from it since it is over."""
        return f"{self.all_sessions}{session}/over"

    def all_of(self, session: SessionId) -> str:
        """Everything that is known of a session."""
        return f"{self.all_sessions}{session}/"

    def report(self, session: SessionId) -> str:
        """What it said of its bots; tied to its lease."""
        return f"{self.prefix}/reports/{session}"

    @property
    def all_wishes(self) -> str:
        """Of all sessions."""
        return f"{self.prefix}/wishes/"

    def wishes(self, session: SessionId, part: int) -> str:
        """A part of a session's wishes; tied to its lease."""
        return f"{self.all_wishes}{session}/{part}"

    def all_wishes_of(self, session: SessionId) -> str:
        """All parts of a session's wishes."""
        return f"{self.all_wishes}{session}/"

    @property
    def all_claims(self) -> str:
        """One for each bot; never deleted."""
        return f"{self.prefix}/claims/"

    def claim(self, bot_id: BotId) -> str:
        """A bot's claim; etcd's version of this key is the claim's."""
        return f"{self.all_claims}{bot_id}"
