"""No poll, no claim: how long a caller may be silent before its poll loop is taken for dead. Pure.

The clock runs while no call is open. How long is normal depends on how the last call ended and on what kind
of caller it is (facts: frameworks, section 1): some fetch ahead and call again at once, some handle a batch
first, all sleep after an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from onepoller.coordination.settings import Settings

GONE_LIMIT = 1.0
"""Seconds, once the task or thread that called has ended."""
KEEP_LIMIT = 1.0
"""Seconds after a cancelled call of a caller whose cancel does not mean "stopping"."""
OVERDUE = 20.0
"""An open call may last its timeout and this many seconds more."""
UNENDED = 5.0
"""A call that could not be ended so long after that, seconds: its loop or thread is blocked."""


class CallEnd(Enum):
    """How the last call of the framework ended."""

    EMPTY = auto()
    BATCH = auto()
    ERROR = auto()
    CANCELLED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Since when the framework has not called, and why that may be."""

    since: float
    after: CallEnd
    retry_after: float = 0.0
    fetches_ahead: bool = False
    keep_briefly: bool = False
    """A cancelled call that may be followed by another at once (plain loops, proxies)."""


def limit(silence: Silence, settings: Settings, *, caller_alive: bool, longest_pause: float) -> float:
    """Seconds of silence after which the poll loop is taken for dead.

    `longest_pause`: the longest pause between two polls that this caller has made and come back from.
    """
    if silence.after is CallEnd.CANCELLED and silence.keep_briefly:
        return KEEP_LIMIT
    if not caller_alive and not silence.fetches_ahead:
        return GONE_LIMIT
    if silence.after is CallEnd.BATCH and not silence.fetches_ahead:
        return settings.handler_limit
    is_error = silence.after is CallEnd.ERROR
    base = settings.error_limit + silence.retry_after if is_error else settings.stall_limit
    return max(base, 3.0 * longest_pause)
