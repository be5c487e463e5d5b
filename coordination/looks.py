"""The looks of one bot from outside, as far as they have come: before a poll, and while a rival has the bot.

What is looked for, and how, is `rivals`; `watching` performs it. They begin anew whenever the bot begins or
ceases to look.
"""

from __future__ import annotations

from onepoller.coordination.chronicle import Chronicle
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.grant import Claims
from onepoller.coordination.rivals import PROBE_BETWEEN, Peeks, RivalWatch


class Looks:
    """Of one bot in one process."""

    __slots__ = ("_chronicle", "_claims", "_clocks", "_peeks", "_rival")

    def __init__(self, claims: Claims, *, chronicle: Chronicle, clocks: Clocks) -> None:
        self._claims = claims
        self._chronicle = chronicle
        self._clocks = clocks
        self._rival: RivalWatch | None = None
        self._peeks: Peeks | None = None

    @property
    def rival(self) -> RivalWatch:
        """What was seen of the rival that we yield to now."""
        rival = self._rival
        if rival is None:
            rival = self._rival = RivalWatch()
            after = self._chronicle.probe_after
            if after is not None:
                rival.next_probe = self._clocks.monotonic() + min(
                    after, PROBE_BETWEEN[1] * self._claims.crowd
                )
        return rival

    @property
    def peeks(self) -> Peeks:
        """The look before our next poll."""
        peeks = self._peeks
        if peeks is None:
            peeks = self._peeks = Peeks()
        return peeks

    def forget(self) -> None:
        """Begin anew."""
        self._rival = self._peeks = None
