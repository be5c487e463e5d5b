"""The leases of other sessions, as the server has told them: when to look whether one has ended.

The server is not asked again before the lease that it told has passed; by then a living process has renewed
it. Redis tells of keys that expire late or never, so nobody waits to be told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Command

_AFTER = 0.002
"""Seconds after the end of a lease: the server counts in milliseconds."""
_LONGEST = 60.0


class Leases:
    """When to look at each session next. `now` is the loop's clock."""

    def __init__(self, keys: Keys, *, pause: float) -> None:
        self._keys = keys
        self._pause = pause
        """Seconds until a session that was found silent is looked at again; doubled each time."""
        self._due: dict[SessionId, float] = {}
        self._pauses: dict[SessionId, float] = {}

    @property
    def due(self) -> float:
        """When the next one is to be looked at."""
        return min(self._due.values(), default=float("inf"))

    def know(self, sessions: Iterable[SessionId]) -> None:
        """These are the sessions that there are; new ones are looked at now."""
        self._due = {one: self._due.get(one, 0.0) for one in sessions}

    def asked(self, now: float) -> dict[SessionId, list[Command]]:
        """What to ask the server of those that are due."""
        return {
            one: [("PTTL", self._keys.alive(one)), ("HMGET", self._keys.session(one), "identity", "over")]
            for one, due in self._due.items()
            if due <= now
        }

    def told(self, session: SessionId, reply: list[Any], now: float) -> bool:
        """What the server said of one; true where its lease is over and nobody has ended it yet."""
        left, (identity, over) = reply
        if identity is None or over:
            self._due.pop(session, None)
            return False
        if left > 0:
            self._pauses.pop(session, None)
            self._due[session] = now + left / 1000 + _AFTER
            return False
        pause = self._pauses.get(session, self._pause)
        self._pauses[session] = min(2 * pause, _LONGEST)
        self._due[session] = now + pause
        return True
