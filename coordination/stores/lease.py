"""A lease and its margin: how long others wait for a silent session, and how much earlier it stops by itself.

The margin is what covers the time between the last look at the clock and the reply that is handed over. It is
no cure for clocks that run at different rates by more than margin / lease.
"""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Seconds of silence that others allow a session, and by how much it stops before them."""

    seconds: float
    margin: float

    @classmethod
    def of(cls, seconds: float, *, margin: float | None = None) -> Lease:
        """A checked lease; its margin is a tenth, but at least a second (a quarter of a short lease)."""
        if not seconds > 0:
            raise SettingsError(f"lease must be more than 0 seconds, not {seconds:g}.")
        if margin is None:
            margin = max(seconds / 10, min(1.0, seconds / 4))
        if not 0 < margin < seconds:
            raise SettingsError(
                f"margin must lie between 0 and the lease of {seconds:g} seconds, not be {margin:g}."
            )
        return cls(seconds=seconds, margin=margin)

    def deadline(self, beaten_at: float) -> float:
        """Until when a session that beat then may send and deliver, on the clock of `beaten_at`."""
        return beaten_at + self.seconds - self.margin
