"""Which of a session's reports are written: one that has changed, and a large one rarely.

A report goes along with a heartbeat. That of ten thousand bots is some hundred kilobytes, which the server
would write again and again.
"""

from __future__ import annotations

import math

LARGE = 4096
"""A report of more bytes, a hundred bots or so, is large."""


class Reports:
    """What a session has written of its reports."""

    def __init__(self, *, large_every: float, large: int = LARGE) -> None:
        self._large_every = large_every
        """Seconds from one large report to the next, at least."""
        self._large = large
        self._last = b""
        self._last_at = -math.inf

    def is_due(self, report: bytes, now: float) -> bool:
        """Whether this one is to be written now."""
        is_news = report != self._last
        return is_news and (len(report) <= self._large or now >= self._last_at + self._large_every)

    def written(self, report: bytes, now: float) -> None:
        """It was written then."""
        self._last, self._last_at = report, now
