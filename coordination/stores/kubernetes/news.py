"""What a session tells the others with its next beat: who is to look, and which claims it has written."""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.identity import BotId, SessionId

MOST_NAMED = 100
"""Where more claims were written, it could be any."""


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told."""

    wake: frozenset[SessionId] = frozenset()
    changed: frozenset[BotId] | None = frozenset()
    """None: any claim may have changed."""

    def with_(self, other: News) -> News:
        """Both."""
        changed = None
        if self.changed is not None and other.changed is not None:
            changed = self.changed | other.changed
            changed = changed if len(changed) <= MOST_NAMED else None
        return News(self.wake | other.wake, changed)
