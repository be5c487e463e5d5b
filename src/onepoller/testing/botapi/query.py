"""A call on its way through the fake: the call, its row in the journal, and the desk that answers it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from onepoller.testing.botapi.call import Call
from onepoller.testing.botapi.journal import Journal, Row
from onepoller.testing.botapi.replies import Cut, Reply
from onepoller.testing.botapi.rules import Rules
from onepoller.testing.botapi.timers import Timer, Timers


@dataclass(slots=True, kw_only=True)
class Query:
    """One call in work. The last fields are those of a parked poll."""

    call: Call
    row: Row
    offset: int = 0
    limit: int = 0
    hard_end: float = 0.0
    is_woken: bool = False
    timer: Timer | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the parts of one bot need of the server around them.

    `answer(query, reply, how, now)` ends a query; `unix(now)` is the date at that moment.
    """

    rules: Rules
    timers: Timers
    journal: Journal
    unix: Callable[[float], int]
    answer: Callable[[Query, Reply | Cut, str, float], None]
