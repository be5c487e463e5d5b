"""How a request to Telegram ended, in one word of the closed set that metrics have."""

from __future__ import annotations

import re

from onepoller.coordination.events import Outcome
from onepoller.coordination.wire import Delivered, Ended, Refused

_OUTCOMES = {409: Outcome.CONFLICT, 401: Outcome.UNAUTHORIZED, 429: Outcome.RATE_LIMITED}


def outcome_of(end: Delivered | Refused | Ended) -> Outcome:
    """Of an end that was no exception."""
    match end:
        case Delivered(update_ids=ids):
            return Outcome.UPDATES if ids else Outcome.EMPTY
        case Refused(status=status):
            return _OUTCOMES.get(status, Outcome.SERVER_ERROR)
        case Ended.OVERDUE:
            return Outcome.TIMEOUT
        case _:
            return Outcome.CANCELLED


def outcome_of_error(error: Exception) -> Outcome:
    """Of what the wire raised."""
    return Outcome.TIMEOUT if is_timeout(error) else Outcome.NETWORK_ERROR


def is_timeout(error: BaseException) -> bool:
    """By its name too: each HTTP library has its own class for it, and none is known here.

    By its cause too: aiogram has one class for all that the network does.
    """
    return any(
        isinstance(e, TimeoutError) or re.search("Timeout|TimedOut", type(e).__name__) is not None
        for e in (error, error.__cause__)
    )
