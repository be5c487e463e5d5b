"""Watching, while we yield, whether the rival still polls. It disturbs it as little as can be.

Read-only first: getWebhookInfo every 3 s. Where updates wait, *peek*: `getUpdates` with a small random
offset (2 to 999: below every real id, so it confirms nothing; the same one twice within 3 s would park),
`limit=1`, `timeout=0`, no allowed_updates. The first update has changed or gone: somebody polls. The same
one to the end: nobody takes them. Every 40 to 80 s one *probe*: a long poll with such an offset; a 409 says
that somebody is there (it costs the rival at most one hidden 409), 8 s in all without one that nobody is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from onepoller.coordination.answer import Answer
from onepoller.coordination.wire import Ask, Await, Delivered, Ended, Refused, Request, SendPoll, Step

ASK_EVERY = 3.0
PEEK_EVERY = 2.5
LOOK_FOR = 8.0
PROBE_FOR = 8.0
PROBE_BETWEEN = (40.0, 80.0)


class _Clocks(Protocol):
    @property
    def monotonic(self) -> Callable[[], float]: ...

    @property
    def chance(self) -> Callable[[], float]: ...


@dataclass(slots=True)
class RivalWatch:
    """What was seen so far. It goes on over many calls of the framework."""

    next_ask: float = 0.0
    next_probe: float = 0.0
    peeking_since: float | None = None
    first_id: int = 0
    unopposed: float = 0.0

    def look(self, clocks: _Clocks, deadline: float) -> Generator[Step, Any, bool]:
        """One step of the watch, at most until the deadline. True: the rival is gone."""
        now = clocks.monotonic()
        if not self.next_probe:
            self.next_probe = now + _probe_pause(clocks)
            self.next_ask = now + ASK_EVERY
        due = min(self.next_ask, self.next_probe)
        if now < due:
            yield Await(future=_never(), seconds=min(due, deadline) - now)
            return False
        if now >= self.next_probe:
            return (yield from self._probe(clocks, deadline))
        if self.peeking_since is not None:
            return (yield from self._peek(clocks))
        info = yield Ask(method="getWebhookInfo")
        self.next_ask = clocks.monotonic() + ASK_EVERY * (0.8 + 0.4 * clocks.chance())
        if info is not None and info.get("pending_update_count", 0) > 0:
            self.peeking_since = clocks.monotonic()
            self.first_id = 0
            self.next_ask = 0.0
        return False

    def _peek(self, clocks: _Clocks) -> Generator[Step, Any, bool]:
        try:
            end = yield SendPoll(request=Request(offset=_harmless(clocks), limit=1, timeout=0.0))
        except Exception:  # noqa: BLE001  # as the comment says
            # No answer says nothing about the rival; the next look tells.
            end = None
        now = clocks.monotonic()
        first = end.update_ids[0] if isinstance(end, Delivered) and end.update_ids else 0
        is_same = first and first == self.first_id
        if not first or (self.first_id and not is_same):
            self.peeking_since = None
            self.next_ask = now + ASK_EVERY
            return False
        self.first_id = first
        self.next_ask = now + PEEK_EVERY
        return self.peeking_since is not None and now - self.peeking_since >= LOOK_FOR

    def _probe(self, clocks: _Clocks, deadline: float) -> Generator[Step, Any, bool]:
        now = clocks.monotonic()
        seconds = min(PROBE_FOR - self.unopposed, deadline - now)
        timeout = float(max(1, int(seconds + 0.999)))
        request = Request(offset=_harmless(clocks), limit=1, timeout=timeout)
        try:
            end = yield SendPoll(request=request)
        except Exception:  # noqa: BLE001  # as above: no answer, nothing new
            end = None
        match end:
            case Delivered(update_ids=ids) if not ids:
                self.unopposed += clocks.monotonic() - now
                return self.unopposed >= PROBE_FOR
            case Delivered():
                self.peeking_since = clocks.monotonic()
                self.first_id = 0
                self.next_ask = 0.0
            case Refused() | Ended() | None:
                pass
        self.unopposed = 0.0
        self.next_probe = clocks.monotonic() + _probe_pause(clocks)
        return False


def _probe_pause(clocks: _Clocks) -> float:
    low, high = PROBE_BETWEEN
    return low + (high - low) * clocks.chance()


def _harmless(clocks: _Clocks) -> int:
    return 2 + int(clocks.chance() * 998)


def _never() -> Answer[None]:
    return Answer()
