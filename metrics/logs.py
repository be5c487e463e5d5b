"""The listener that writes the log: `sentences` says what, this file says when.

One line when an episode opens and one when it closes, a reminder at most every five minutes, nothing for a
single 409 (DEBUG). The same trouble of the same bot within five minutes is told once; a burst over many bots
ends in one line that sums it up. What is held back appears at DEBUG. Fields of the event are in
`record.onepoller`. There is no timer: whatever happens next, a heartbeat too, brings what is due.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Event
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.report import Role
from onepoller.metrics.catalogue import ANSWERS
from onepoller.metrics.flood import Flood, Summary
from onepoller.metrics.sentences import Line, reminder, sentence

REMIND_EVERY = 300.0
"""Seconds between two lines about the same trouble of the same bot."""
_LOOK_EVERY = 10.0
"""Seconds between two looks for episodes of which to remind."""
_UNTOLD = (events.PollEnded, events.LookEnded, events.BotSeen, events.FirstPollEnded)
_TOLD_IF_FAILED = (events.BeatEnded, events.StoreCalled)
_DEBUG = (events.ClaimChanged,)
"""Told at DEBUG alone; ten thousand of them come with one takeover."""
_TROUBLES = (
    events.Stalled,
    events.TokenRefused,
    events.UpdateGap,
    events.WebhookCallGuarded,
    events.OwnOverlap,
    events.StoodBy,
)

log = logging.getLogger("onepoller")


@dataclass(slots=True)
class _Episode:
    """A conflict episode that goes on, and what the log knows of it."""

    kind: Kind
    since: float
    told: float
    is_quiet: bool
    conflicts: int = 0


class LogLines:
    """Writes events to the logger `onepoller`. Call it with events, from any thread."""

    def __init__(
        self,
        me: Identity,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._me = me
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._flood = Flood()
        self._episodes: dict[BotId, _Episode] = {}
        self._told: dict[tuple[BotId | None, object], float] = {}
        self._wake = math.inf
        """When something may be due that no event brings by itself."""

    def __call__(self, event: Event, /) -> None:
        """Tell of one event, and of what has become due."""
        now = self._clock()
        if type(event) is events.RoleChanged and self._is_drowned(event, now):
            return
        if now < self._wake and (
            isinstance(event, _UNTOLD) or (isinstance(event, _TOLD_IF_FAILED) and not event.error)
        ):
            return
        if isinstance(event, _DEBUG) and not log.isEnabledFor(logging.DEBUG):
            return
        with self._lock:
            due = list(self._due(now)) if now >= self._wake else []
            line = self._line(event, now)
        for one, about in due:
            _write(one, about)
        if line is not None and log.isEnabledFor(line.level):
            _write(line, _facts(event))

    def _is_drowned(self, event: events.RoleChanged, now: float) -> bool:
        """Whether this is one of ten thousand at once: counted, without building its line."""
        if now >= self._wake or not self._flood.is_full(now) or log.isEnabledFor(logging.DEBUG):
            return False
        with self._lock:
            return self._flood.counts(now=now, what=event.role.label)

    def _line(self, event: Event, now: float) -> Line | None:
        if isinstance(event, events.BotGone):
            self._forget(event.bot_id)
        line = sentence(event, me=self._me, wall=self._wall())
        if line is None:
            return None
        if self._is_repeated(event, now):
            return Line(level=logging.DEBUG, text=line.text, args=line.args)
        if (
            line.level > logging.DEBUG
            and hasattr(event, "bot_id")
            and not isinstance(event, events.ProcessEnding)
        ):
            what = event.role.label if isinstance(event, events.RoleChanged) else _name(event)
            if not self._flood.passes(now=now, what=what, level=line.level):
                self._wake = min(self._wake, self._flood.ends)
                return Line(level=logging.DEBUG, text=line.text, args=line.args)
        return line

    def _is_repeated(self, event: Event, now: float) -> bool:
        """Say whether the reader has been told lately; remember what he is told now."""
        match event:
            case events.EpisodeOpened(bot_id=bot_id, kind=kind):
                is_quiet = not self._is_news(bot_id, events.EpisodeOpened, now)
                told = self._told[bot_id, events.EpisodeOpened]
                self._episodes[bot_id] = _Episode(kind=kind, since=now, told=told, is_quiet=is_quiet)
                self._wake = min(self._wake, now + _LOOK_EVERY)
                return is_quiet
            case events.EpisodeClosed(bot_id=bot_id):
                ended = self._episodes.pop(bot_id, None)
                return ended is not None and ended.is_quiet
            case events.ConflictSeen(bot_id=bot_id) if bot_id in self._episodes:
                self._episodes[bot_id].conflicts += 1
                return False
            case events.StoreTrouble(text=""):
                return self._told.pop((None, events.StoreTrouble), None) is None
            case events.StoreTrouble():
                return not self._is_news(None, events.StoreTrouble, now)
            case _ if isinstance(event, _TROUBLES):
                return not self._is_news(event.bot_id, _trouble(event), now)
            case _:
                return False

    def _is_news(self, bot_id: BotId | None, what: object, now: float) -> bool:
        if now < self._told.get((bot_id, what), -math.inf) + REMIND_EVERY:
            return False
        self._told[bot_id, what] = now
        return True

    def _due(self, now: float) -> Iterator[tuple[Line, dict[str, object]]]:
        summary = self._flood.due(now=now)
        if summary is not None:
            yield _summed_up(summary), {"event": "lines_held_back", "count": summary.count}
        for bot_id, episode in self._episodes.items():
            if now >= episode.told + REMIND_EVERY:
                episode.told, episode.is_quiet = now, False
                self._told[bot_id, events.EpisodeOpened] = now
                seconds = now - episode.since
                line = reminder(episode.kind, bot_id=bot_id, seconds=seconds, conflicts=episode.conflicts)
                yield line, {"event": "episode_goes_on", "bot_id": bot_id, "kind": str(episode.kind)}
        self._wake = now + _LOOK_EVERY if self._episodes else math.inf

    def _forget(self, bot_id: BotId) -> None:
        self._episodes.pop(bot_id, None)
        for what in (events.EpisodeOpened, *_TROUBLES, *ANSWERS):
            self._told.pop((bot_id, what), None)


def _trouble(event: Event) -> object:
    """What is not to be told twice: that a webhook goes, and that the next one may not, are two things."""
    return event.answer if isinstance(event, events.WebhookCallGuarded) else type(event)


def _write(line: Line, facts: dict[str, object]) -> None:
    if log.isEnabledFor(line.level):
        log.log(line.level, line.text, *line.args, extra={"onepoller": facts})


def _summed_up(summary: Summary) -> Line:
    told = ", ".join(f"{count} x {what}" for what, count in summary.told)
    text = "%d more lines like these were held back: %s (onepoller status)"
    return Line(level=summary.level, text=text, args=(summary.count, told))


def _facts(event: Event) -> dict[str, object]:
    """Give an event as fields of a log record: only what is known, in types that JSON has."""
    known = ((field.name, getattr(event, field.name)) for field in fields(event))
    facts = {name: _plain(value) for name, value in known if value is not None and value != ""}
    if isinstance(event, events.ClaimChanged):
        facts["claim_event"] = facts["event"]
    return {**facts, "event": _name(event)}


def _plain(value: object) -> object:
    match value:
        case Role():
            return value.label
        case Identity():
            return value.who
        case str():
            return str(value)
        case _:
            return value


def _name(event: Event) -> str:
    """Give the stable name of an event: `EpisodeOpened` is `episode_opened`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
