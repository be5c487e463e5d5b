"""A request as the Bot API sees it, and its answer: what the core and its carrier say to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from onepoller.testing.botapi.replies import Cut, Reply

NO_FILES: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of one connection. A connection has at most one unanswered call.

    The token is in no `repr`.
    """

    connection: int
    token: str = field(repr=False)
    method: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=lambda: NO_FILES)  # name to size
    poller: str = ""
    is_test: bool = False  # a path with /test/: the test data centre


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call is answered, and when. `Cut.HANG` is never given: such a call just stays unanswered."""

    call: Call
    at: float
    reply: Reply | Cut
