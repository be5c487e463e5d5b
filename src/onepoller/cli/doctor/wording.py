"""Times and counts as a person says them. Pure."""

from __future__ import annotations

from datetime import datetime


def clock(wall: float, *, now: float) -> str:
    """The time of day, with its date where that is not today's."""
    then, today = (datetime.fromtimestamp(moment).astimezone() for moment in (wall, now))
    return then.strftime("%H:%M:%S" if then.date() == today.date() else "%Y-%m-%d %H:%M")


def ago(wall: float, *, now: float) -> str:
    """How long ago, in the unit that fits."""
    seconds = max(0.0, now - wall)
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.1f} h ago"


def updates(count: int) -> str:
    """How many updates wait."""
    return {0: "no update waits", 1: "1 update waits"}.get(count, f"{count} updates wait")
