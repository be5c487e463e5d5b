"""Counts events into plain attributes. The listener that everything else in this room reads.

Called from the poll path and in the middle of takeovers, where it notes what it is told, and when; it counts
later, many at once: with the next heartbeat, or when somebody reads. Counts are exact with any number of
threads. A bot exists here from `BotSeen` to `BotGone`; what comes for another one counts for the process
alone. An operation or a resolution that the catalogue does not list is counted all the same: its series
appears.

The lock may be held by another thread at a fork: a forked child makes a ledger of its own.
"""

from __future__ import annotations

import platform
import threading
import time
from collections import deque
from collections.abc import Callable
from importlib import metadata
from typing import Any

from onepoller.coordination import events
from onepoller.coordination.events import Certainty, ClaimEvent, Event, Outcome, PollEnded
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role
from onepoller.metrics import catalogue
from onepoller.metrics.catalogue import METRICS, Labels, Level, Metric, PollResult, Type
from onepoller.metrics.histogram import Histogram
from onepoller.metrics.reading import Reading
from onepoller.metrics.tally import Tally

FULL_UP_TO = 1000
"""With more bots than this the metrics of `Level.FULL` are left out."""
TOGETHER = 30_000
"""So many events are counted together at most: what happens while 10,000 bots change hands."""

_GOT = frozenset({ClaimEvent.ACQUIRED, ClaimEvent.TAKEN_OVER})
_ANSWERED = frozenset({Outcome.UPDATES, Outcome.EMPTY})
_HOLDING = frozenset({Role.POLLING, Role.CONTENDED})
_RESULTS = {
    Outcome.UPDATES: PollResult.UPDATES,
    Outcome.EMPTY: PollResult.EMPTY,
    Outcome.CONFLICT: PollResult.CONFLICT,
    Outcome.UNAUTHORIZED: PollResult.FAILED,
    Outcome.RATE_LIMITED: PollResult.FAILED,
    Outcome.SERVER_ERROR: PollResult.FAILED,
    Outcome.NETWORK_ERROR: PollResult.FAILED,
    Outcome.TIMEOUT: PollResult.FAILED,
}


class Ledger:
    """What happened in this process, and to each of its bots. Call it with events."""

    def __init__(
        self,
        *,
        full_up_to: int = FULL_UP_TO,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.full_up_to = full_up_to
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()
        self._bots: dict[BotId, Tally] = {}
        self._certainty, self._lost = Certainty.HELD, 0
        self._numbers: dict[Metric, dict[Labels, float]] = {
            metric: dict.fromkeys(metric.values, 0)
            for metric in METRICS
            if metric.level is Level.PROCESS and metric.type is not Type.HISTOGRAM
        }
        self._histograms: dict[Metric, dict[Labels, Histogram]] = {
            metric: {labels: Histogram(metric.buckets) for labels in metric.values}
            for metric in METRICS
            if metric.type is Type.HISTOGRAM
        }
        self._polls = self._numbers[catalogue.POLLS]
        self._received = self._numbers[catalogue.UPDATES_RECEIVED]
        durations = self._histograms[catalogue.POLL_DURATION]
        self._noted: deque[tuple[Event, float, float]] = deque()
        """What is not counted yet, and when it was, by the wall clock and by `clock`."""
        self._at, self._at_clock = 0.0, 0.0
        """Of the event that is being counted."""
        self._is_initialised = False
        self._durations = {outcome: durations[(result,)] for outcome, result in _RESULTS.items()}
        self._overrun = self._histograms[catalogue.POLL_OVERRUN][()]
        self._timeout = self._numbers[catalogue.POLL_TIMEOUT]
        self._numbers[catalogue.BUILD] = {(metadata.version("onepoller"), platform.python_version()): 1}
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.BotSeen: self._bot_seen,
            events.BotGone: self._bot_gone,
            events.RoleChanged: self._role_changed,
            PollEnded: self._poll_ended,
            events.ClaimChanged: self._claim_changed,
            events.FirstPollEnded: self._first_poll_ended,
            events.LookEnded: self._look_ended,
            events.UpdatesDropped: self._updates_dropped,
            events.UpdateGap: self._update_gap,
            events.ConflictSeen: self._conflict_seen,
            events.EpisodeOpened: self._episode_opened,
            events.EpisodeClosed: self._episode_closed,
            events.Stalled: self._stalled,
            events.CallsResumed: self._calls_resumed,
            events.TokenRefused: self._token_refused,
            events.WebhookCallGuarded: self._webhook_call_guarded,
            events.BeatEnded: self._beat_ended,
            events.StoreCalled: self._store_called,
            events.StoreTrouble: self._store_trouble,
            events.CertaintyChanged: self._certainty_changed,
            events.SessionOpened: self._session_opened,
            events.SessionLost: self._session_lost,
        }

    def __call__(self, event: Event, /) -> None:
        """Note one event. Safe from any thread."""
        self._noted.append((event, self._wall(), self._clock()))
        if type(event) is events.BeatEnded or len(self._noted) >= TOGETHER:
            with self._lock:
                self._catch_up()

    @property
    def is_initialised(self) -> bool:
        """Whether a bot of this process has come further than `STARTING`, once."""
        with self._lock:
            self._catch_up()
            return self._is_initialised

    def read(self) -> Reading:
        """Give everything as it is now."""
        with self._lock:
            self._catch_up()
            bots = list(self._bots.values())
            detail = Level.FULL if len(bots) <= self.full_up_to else Level.CORE
            if detail is Level.FULL:
                now = self._clock()
                for bot in bots:
                    bot.settle(now)
            return Reading(
                wall=self._wall(),
                detail=detail,
                poll_timeout=self._timeout[()],
                certainty=self._certainty,
                lost=self._lost,
                bots=tuple(bots),
                numbers={metric: counts.copy() for metric, counts in self._numbers.items()},
                histograms={
                    metric: {labels: one.copy() for labels, one in all_of_it.items()}
                    for metric, all_of_it in self._histograms.items()
                },
            )

    def bots(self) -> dict[BotId, Tally]:
        """Give the bots of this process as they are now."""
        with self._lock:
            self._catch_up()
            return dict(self._bots)

    def collected(self, seconds: float) -> None:
        """Note how long a scrape took; the next one tells it."""
        self._numbers[catalogue.COLLECT_DURATION][()] = seconds

    def _catch_up(self) -> None:
        while self._noted:
            event, self._at, self._at_clock = self._noted.popleft()
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _bot(self, bot_id: BotId) -> Tally:
        return self._bots.get(bot_id) or Tally("")  # of one that has gone

    def _count(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        counts = self._numbers[metric]
        counts[labels] = counts.get(labels, 0) + amount

    def _observe(self, metric: Metric, value: float, *labels: str) -> None:
        known = self._histograms[metric]
        if labels not in known:
            known[labels] = Histogram(metric.buckets)
        known[labels].observe(value)

    def _bot_seen(self, event: events.BotSeen) -> None:
        self._bots.setdefault(event.bot_id, Tally(str(event.bot_id)))

    def _bot_gone(self, event: events.BotGone) -> None:
        self._bots.pop(event.bot_id, None)

    def _role_changed(self, event: events.RoleChanged) -> None:
        bot = self._bot(event.bot_id)
        now = self._at_clock
        bot.settle(now)
        bot.standby_since = now if event.role is Role.STANDBY else None
        bot.role = event.role
        if event.term is not None:
            bot.term = event.term
        if event.role in _HOLDING:
            bot.hold(self._at)
            bot.stalled = False
        elif event.role is Role.STOPPED:
            bot.let_go()
        self._is_initialised |= event.role is not Role.STARTING

    def _claim_changed(self, event: events.ClaimChanged) -> None:
        self._count(catalogue.CLAIM_EVENTS, event.event)
        bot = self._bot(event.bot_id)
        bot.term = event.term
        if event.event in _GOT:
            bot.acquisitions += 1
            bot.hold(self._at)
        else:
            bot.let_go()

    def _poll_ended(self, event: PollEnded) -> None:
        outcome = event.outcome
        self._polls[(outcome,)] += 1
        bot = self._bots.get(event.bot_id) or Tally("")
        bot.polls += 1
        bot.stalled = False
        if outcome in _ANSWERED:
            bot.last_poll = self._at
            bot.unauthorized = False
            if event.updates:
                bot.received += event.updates
                self._received[()] += event.updates
            elif event.timeout:
                self._overrun.observe(max(0.0, event.seconds - event.timeout))
        duration = self._durations.get(outcome)
        if duration is not None:
            duration.observe(event.seconds)
        if event.timeout > self._timeout[()]:  # noqa: PLR1730  # the poll path: max() is slower
            self._timeout[()] = event.timeout

    def _first_poll_ended(self, event: events.FirstPollEnded) -> None:
        self._observe(catalogue.TAKEOVER_DURATION, event.seconds, event.cause)

    def _look_ended(self, event: events.LookEnded) -> None:
        self._count(catalogue.LOOKS, event.look, event.outcome)

    def _updates_dropped(self, event: events.UpdatesDropped) -> None:
        self._count(catalogue.UPDATES_DROPPED, event.reason, amount=event.count)
        self._bot(event.bot_id).dropped += event.count

    def _update_gap(self, event: events.UpdateGap) -> None:
        self._count(catalogue.UPDATE_GAPS)
        self._count(catalogue.UPDATES_MISSED, amount=event.missed)
        self._count(catalogue.UPDATES_REPEATED, amount=event.repeated)
        self._bot(event.bot_id).gaps += 1

    def _conflict_seen(self, event: events.ConflictSeen) -> None:
        self._count(catalogue.CONFLICT_REPLIES, event.kind)

    def _episode_opened(self, event: events.EpisodeOpened) -> None:
        self._count(catalogue.CONFLICTS, event.kind)
        bot = self._bot(event.bot_id)
        bot.episodes += 1
        bot.conflict = event.kind

    def _episode_closed(self, event: events.EpisodeClosed) -> None:
        self._count(catalogue.CONFLICT_RESOLUTIONS, event.kind, event.resolution)
        self._observe(catalogue.CONFLICT_DURATION, event.seconds)
        self._bot(event.bot_id).conflict = None

    def _stalled(self, event: events.Stalled) -> None:
        self._count(catalogue.STALLS)
        self._bot(event.bot_id).stalled = True

    def _calls_resumed(self, event: events.CallsResumed) -> None:
        self._bot(event.bot_id).stalled = False

    def _token_refused(self, event: events.TokenRefused) -> None:
        bot = self._bot(event.bot_id)
        if not bot.unauthorized:
            self._count(catalogue.TOKENS_REFUSED)
        bot.unauthorized = True

    def _webhook_call_guarded(self, event: events.WebhookCallGuarded) -> None:
        self._count(catalogue.WEBHOOK_CALLS, event.answer)

    def _beat_ended(self, event: events.BeatEnded) -> None:
        self._count(catalogue.HEARTBEATS)
        if event.error:
            self._count(catalogue.HEARTBEAT_FAILURES)
        else:
            self._observe(catalogue.HEARTBEAT_MARGIN, event.margin)

    def _store_called(self, event: events.StoreCalled) -> None:
        self._count(catalogue.STORE_REQUESTS, event.operation)
        if event.error:
            self._count(catalogue.STORE_FAILURES, event.operation)
        self._observe(catalogue.STORE_DURATION, event.seconds, event.operation)

    def _store_trouble(self, event: events.StoreTrouble) -> None:
        self._numbers[catalogue.STORE_TROUBLE][()] = 1 if event.text else 0

    def _certainty_changed(self, event: events.CertaintyChanged) -> None:
        self._certainty, self._lost = event.certainty, event.claims

    def _session_opened(self, event: events.SessionOpened) -> None:
        self._count(catalogue.SESSIONS_OPENED)
        self._numbers[catalogue.LEASE_TTL][()] = event.lease
        # The kind alone: an address may hold a password.
        self._numbers[catalogue.STORE] = {(event.store.partition(":")[0],): 1}

    def _session_lost(self, _event: events.SessionLost) -> None:
        self._count(catalogue.SESSIONS_LOST)
