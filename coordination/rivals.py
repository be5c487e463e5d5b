"""Looking from outside whether a rival polls. It disturbs nobody, or as little as can be.

*Peek*: `getUpdates` with a small random offset (2 to 999: below every real id, so it confirms nothing; the
same one twice within 3 s would park), `limit=1`, `timeout=0`, no allowed_updates. The first update has
changed or gone: somebody polls. The same one to the end: nobody takes what waits.

*Before polling* that is all: an empty queue at once says that nobody stands in the way, or that whoever does
is parked, and answers our first poll. *Standing by* one asks getWebhookInfo every 3 s, read-only, and peeks
only where updates wait: an empty queue then says that somebody takes them. Where that was not seen for 40 to
80 s one *probe*: a long poll with such an offset; a 409 says that somebody is there (it costs the rival at
most one hidden 409), 8 s in all without one that nobody is. A webhook that shows meanwhile, or a token that
is refused, ends it.

Many bots of one process look more slowly, all of it by the same factor, the *crowd*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol, TypeGuard

from onepoller.coordination.conflict import WEBHOOK_KINDS, Sighting, classify
from onepoller.coordination.events import Look
from onepoller.coordination.wire import Ask, Await, Delivered, Ended, Refused, Request, Step

ASK_EVERY = 3.0
PEEK_EVERY = 2.5
PROBE_FOR = 8.0
PROBE_BETWEEN = (40.0, 80.0)
PIECE = 4.0
"""Of a call that ends sooner, and is no short one, a probe waits for the next: the rival that it evicts may
be told 3 s later only, and would be evicted twice."""
UNANSWERED = 2
"""After so many questions in a row without an answer a peek shows what is wrong."""


class Verdict(Enum):
    """What a look has found."""

    SEEN = auto()
    """Somebody polls."""
    FREE = auto()
    """Nobody takes what waits, or nothing waits."""
    UNOPPOSED = auto()
    """A poll of ours was open for as long as a trial takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookShown:
    """What getWebhookInfo said: there is one."""

    info: dict[str, Any]


Found = Verdict | WebhookShown | Refused
"""What ends a watch; `Refused`: by a webhook, or because the token is no good any more."""
Sent = Generator[Step, Any, Delivered | Refused | Ended | None]


class Surroundings(Protocol):
    """What a watch needs of whoever stands by."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """The clock."""
        ...

    @property
    def chance(self) -> Callable[[], float]:
        """0 to 1."""
        ...

    @property
    def changed(self) -> Any:
        """A future that is done when there is something else to do."""
        ...

    def send(self, look: Look, request: Request) -> Sent:
        """Send a peek or a probe; None where no answer came."""
        ...


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

    def saw(self, first: int, now: float, *, seconds: float, every: float = PEEK_EVERY) -> Verdict | None:
        """Take in the first update's id, 0 where there is none. None: look on, from `due` on."""
        if not first:
            return Verdict.SEEN if self._first else Verdict.FREE
        if not self._first:
            self._first, self._began = first, now
        elif first != self._first:
            return Verdict.SEEN
        self.due = min(now + every, max(now, self._began + seconds))
        return Verdict.FREE if now - self._began >= seconds else None


@dataclass(slots=True)
class RivalWatch:
    """Standing by: what was seen so far. It goes on over many calls of the framework."""

    next_probe: float = 0.0
    """0 until the first look, unless a predecessor has left it."""
    next_ask: float | None = None
    unopposed: float = 0.0
    peeks: Peeks | None = None
    """A look at what waits, while one goes on."""
    _waiting: int = 0
    """How many updates waited when we last asked."""
    _unanswered: int = 0
    _seen_at: float = -math.inf
    """When we last saw that somebody takes what comes."""
    _longest: float = 0.0
    """The most time that a call of the framework has had left."""
    _is_put_off: bool = False

    def look(
        self, around: Surroundings, deadline: float, *, seconds: float, crowd: float = 1.0
    ) -> Generator[Step, Any, Found | None]:
        """One step of the watch, at most until the deadline. What waits is watched for so many `seconds`.

        `crowd`: how much more slowly to look, where many bots of this process stand by.
        """
        now = around.monotonic()
        if self.next_ask is None:
            self.next_ask = now + ASK_EVERY * crowd
            self.next_probe = self.next_probe or now + self._pause(around, crowd)
        self._longest = max(self._longest, deadline - now)
        if now >= self.next_probe and now - self._seen_at < PROBE_BETWEEN[0] * crowd:
            # Who takes what comes is there: a probe would tell us nothing, and cost it a 409.
            self.next_probe = self._seen_at + self._pause(around, crowd)
        if now >= self.next_probe and self._is_cut(deadline - now):
            self._is_put_off = True
            self.next_probe = deadline + around.chance() * (self._longest - PIECE)
        due = min(self.next_ask, self.next_probe)
        if now < due:
            if deadline > now:
                yield Await(future=around.changed, seconds=min(due, deadline) - now)
            return None
        if now >= self.next_probe:
            return (yield from self._probe(around, deadline, crowd))
        if self.peeks is not None:
            return (yield from self._peek(around, self.peeks, seconds, crowd))
        return (yield from self._ask(around, crowd))

    def _is_cut(self, left: float) -> bool:
        """Whether a probe that begins now ends too soon; once, for calls may have become short ones."""
        return left < PIECE <= self._longest and not self.unopposed and not self._is_put_off

    def _ask(self, around: Surroundings, crowd: float) -> Generator[Step, Any, Found | None]:
        info = yield Ask(method="getWebhookInfo")
        self.next_ask = around.monotonic() + ASK_EVERY * crowd * (0.8 + 0.4 * around.chance())
        if info is None:
            self._unanswered += 1
            if self._unanswered >= UNANSWERED:
                self.peeks, self.next_ask = Peeks(), 0.0
            return None
        if info.get("url"):
            return WebhookShown(info=info)
        self._unanswered = 0
        waiting = int(info.get("pending_update_count", 0))
        if waiting < self._waiting:
            self._saw_it_take(around.monotonic())
        if waiting > 0:
            self.peeks, self.next_ask = Peeks(), 0.0
        self._waiting = waiting
        return None

    def _peek(
        self, around: Surroundings, peeks: Peeks, seconds: float, crowd: float
    ) -> Generator[Step, Any, Found | None]:
        end = yield from around.send(Look.PEEK, peeks.request(around.chance()))
        now = around.monotonic()
        if not isinstance(end, Delivered):
            # No answer says nothing of the rival: look again, from the start.
            self.peeks, self.next_ask = None, now + ASK_EVERY * crowd
            return end if _is_news(end) else None
        first = end.update_ids[0] if end.update_ids else 0
        verdict = peeks.saw(first, now, seconds=seconds * crowd, every=PEEK_EVERY * crowd)
        if verdict is None:
            self.next_ask = peeks.due
            return None
        self.peeks, self.next_ask = None, now + ASK_EVERY * crowd
        if verdict is Verdict.FREE and first:
            return verdict
        if verdict is Verdict.SEEN or self._waiting:
            # An empty queue, where updates waited a moment ago, says that somebody takes them.
            self._saw_it_take(now)
        return None

    def _saw_it_take(self, now: float) -> None:
        self._seen_at, self.unopposed = now, 0.0

    def _probe(
        self, around: Surroundings, deadline: float, crowd: float
    ) -> Generator[Step, Any, Found | None]:
        self._is_put_off = False
        now = around.monotonic()
        seconds = min(PROBE_FOR - self.unopposed, deadline - now)
        timeout = float(max(1, math.ceil(seconds)))
        request = Request(offset=Peeks().request(around.chance()).offset, limit=1, timeout=timeout)
        end = yield from around.send(Look.PROBE, request)
        if isinstance(end, Delivered) and not end.update_ids:
            self.unopposed += around.monotonic() - now
            return Verdict.UNOPPOSED if self.unopposed >= PROBE_FOR else None
        if isinstance(end, Delivered) and self.peeks is None:
            self.peeks, self.next_ask = Peeks(), 0.0
        self.unopposed = 0.0
        self.next_probe = around.monotonic() + self._pause(around, crowd)
        return end if _is_news(end) else None

    def _pause(self, around: Surroundings, crowd: float) -> float:
        low, high = PROBE_BETWEEN
        return crowd * (low + (high - low) * around.chance())


def _is_news(end: object) -> TypeGuard[Refused]:
    """Whether it was refused for something else than the rival, which no waiting mends."""
    if not isinstance(end, Refused):
        return False
    seen = Sighting(text=end.text, elapsed=0.0, holds_claim=True)
    return end.status == 401 or (end.status == 409 and classify(seen) in WEBHOOK_KINDS)
