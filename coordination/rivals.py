"""Looking from outside whether a rival polls. It disturbs nobody, or as little as can be.

*Peek*: `getUpdates` with a small random offset (2 to 999: below every real id, so it confirms nothing; the
same one twice within 3 s would park), `limit=1`, `timeout=0`, no allowed_updates. The first update has
changed or gone: somebody polls. The same one to the end: nobody takes what waits.

*Before polling* that is all: an empty queue at once says that nobody stands in the way, or that whoever does
is parked, and answers our first poll. *Standing by* one asks getWebhookInfo every 3 s, read-only, and peeks
only where updates wait: an empty queue then says that somebody takes them. Every 40 to 80 s one *probe*: a
long poll with such an offset; a 409 says that somebody is there (it costs the rival at most one hidden 409),
8 s in all without one that nobody is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from onepoller.coordination.answer import Answer
from onepoller.coordination.wire import Ask, Await, Delivered, Request, SendPoll, Step

ASK_EVERY = 3.0
PEEK_EVERY = 2.5
PROBE_FOR = 8.0
PROBE_BETWEEN = (40.0, 80.0)


class Verdict(Enum):
    """What a look has found."""

    SEEN = auto()
    """Somebody polls."""
    FREE = auto()
    """Nobody takes what waits, or nothing waits."""
    UNOPPOSED = auto()
    """A poll of ours was open for as long as a trial takes."""


class _Clocks(Protocol):
    @property
    def monotonic(self) -> Callable[[], float]: ...

    @property
    def chance(self) -> Callable[[], float]: ...


@dataclass(slots=True)
class Peeks:
    """One look at the queue's first update, peek by peek."""

    due: float = 0.0
    _began: float = 0.0
    _first: int = 0
    _offset: int = 0

    def request(self, chance: float) -> Request:
        """The next peek; never with the offset of the last one."""
        offset = 2 + int(chance * 997)
        self._offset = offset + (offset == self._offset)
        return Request(offset=self._offset, limit=1, timeout=0.0)

    def saw(self, first: int, now: float, *, seconds: float) -> Verdict | None:
        """Take in the first update's id, 0 where there is none. None: look on, from `due` on."""
        if not first:
            return Verdict.SEEN if self._first else Verdict.FREE
        if not self._first:
            self._first, self._began = first, now
        elif first != self._first:
            return Verdict.SEEN
        self.due = min(now + PEEK_EVERY, max(now, self._began + seconds))
        return Verdict.FREE if now - self._began >= seconds else None


@dataclass(slots=True)
class RivalWatch:
    """Standing by: what was seen so far. It goes on over many calls of the framework."""

    next_ask: float = 0.0
    next_probe: float = 0.0
    unopposed: float = 0.0
    peeks: Peeks | None = None
    """A look at what waits, while one goes on."""
    _waiting: int = 0
    """How many updates waited when we last asked."""

    def look(
        self, clocks: _Clocks, deadline: float, *, seconds: float, crowd: float = 1.0
    ) -> Generator[Step, Any, Verdict | None]:
        """One step of the watch, at most until the deadline. What waits is watched for so many `seconds`.

        `crowd`: how much more slowly to ask, where many bots of this process stand by.
        """
        now = clocks.monotonic()
        if not self.next_probe:
            self.next_probe = now + _between(PROBE_BETWEEN, clocks)
            self.next_ask = now + ASK_EVERY * crowd
        due = min(self.next_ask, self.next_probe)
        if now < due:
            if deadline > now:
                yield Await(future=_never(), seconds=min(due, deadline) - now)
            return None
        if now >= self.next_probe:
            return (yield from self._probe(clocks, deadline))
        if self.peeks is not None:
            return (yield from self._peek(clocks, self.peeks, seconds))
        info = yield Ask(method="getWebhookInfo")
        self.next_ask = clocks.monotonic() + ASK_EVERY * crowd * (0.8 + 0.4 * clocks.chance())
        waiting = int(info.get("pending_update_count", 0)) if info is not None else self._waiting
        if waiting < self._waiting:
            self.unopposed = 0.0  # somebody takes them
        if info is not None and waiting > 0:
            self.peeks, self.next_ask = Peeks(), 0.0
        self._waiting = waiting
        return None

    def _peek(self, clocks: _Clocks, peeks: Peeks, seconds: float) -> Generator[Step, Any, Verdict | None]:
        end = yield from _sent(peeks.request(clocks.chance()))
        now = clocks.monotonic()
        if not isinstance(end, Delivered):
            # No answer says nothing of the rival: look again, from the start.
            self.peeks, self.next_ask = None, now + ASK_EVERY
            return None
        first = end.update_ids[0] if end.update_ids else 0
        verdict = peeks.saw(first, now, seconds=seconds)
        if verdict is None:
            self.next_ask = peeks.due
            return None
        self.peeks, self.next_ask = None, now + ASK_EVERY
        # An empty queue, where updates waited a moment ago, says that somebody takes them.
        return Verdict.FREE if verdict is Verdict.FREE and first else None

    def _probe(self, clocks: _Clocks, deadline: float) -> Generator[Step, Any, Verdict | None]:
        now = clocks.monotonic()
        seconds = min(PROBE_FOR - self.unopposed, deadline - now)
        timeout = float(max(1, math.ceil(seconds)))
        request = Request(offset=Peeks().request(clocks.chance()).offset, limit=1, timeout=timeout)
        end = yield from _sent(request)
        if isinstance(end, Delivered) and not end.update_ids:
            self.unopposed += clocks.monotonic() - now
            return Verdict.UNOPPOSED if self.unopposed >= PROBE_FOR else None
        if isinstance(end, Delivered) and self.peeks is None:
            self.peeks, self.next_ask = Peeks(), 0.0
        self.unopposed = 0.0
        self.next_probe = clocks.monotonic() + _between(PROBE_BETWEEN, clocks)
        return None


def _sent(request: Request) -> Generator[Step, Any, Any]:
    """The outcome; None where none came: no answer, nothing new."""
    try:
        return (yield SendPoll(request=request))
    except Exception:  # noqa: BLE001  # as the docstring says
        return None


def _between(low_high: tuple[float, float], clocks: _Clocks) -> float:
    low, high = low_high
    return low + (high - low) * clocks.chance()


def _never() -> Answer[None]:
    return Answer()
