"""The names of everything we keep on a Redis server.

All keys have one hash tag, the prefix: in a cluster they lie on one node, so that one script may use any of
them. Nothing but the liveness of a session ends by itself, and what a process left behind ends a day after.

    {onepoller}:begun           string: when our data began there, and on which run of the server
    {onepoller}:generation      counter: how often something was written
    {onepoller}:changed         sorted set: bot ids by the generation of their last write
    {onepoller}:arrivals        counter: the order of arrival of wishes
    {onepoller}:claims          hash: bot id -> claim
    {onepoller}:sessions        set: the ids of sessions
    {onepoller}:session:ID      hash: begun, identity, lease, at (its last beat), report, over
    {onepoller}:alive:ID        string with the session's lease as its time to live
    {onepoller}:wishes:ID       hash: bot id -> place in the order of arrival, and wish
"""

from __future__ import annotations

from onepoller.coordination.identity import SessionId


class Keys:
    """Names under one prefix."""

    def __init__(self, prefix: str) -> None:
        self._tag = f"{{{prefix}}}"
        self.begun = self._of("begun")
        self.generation = self._of("generation")
        self.changed = self._of("changed")
        self.arrivals = self._of("arrivals")
        self.claims = self._of("claims")
        self.sessions = self._of("sessions")
        self.everybody = self._of("everybody")
        """The channel on which the end of a session is told; the message is its id."""

    def session(self, session_id: SessionId) -> str:
        """What is known of a session."""
        return self._of(f"session:{session_id}")

    def alive(self, session_id: SessionId) -> str:
        """Exists while a session keeps its lease."""
        return self._of(f"alive:{session_id}")

    def wishes(self, session_id: SessionId) -> str:
        """What a session wishes for."""
        return self._of(f"wishes:{session_id}")

    def wake(self, session_id: SessionId) -> str:
        """The channel of those who want to wake this session."""
        return self._of(f"wake:{session_id}")

    def _of(self, name: str) -> str:
        return f"{self._tag}:{name}"
