"""Every metric that onepoller exports: name, type, unit, labels, meaning. Nothing else is exported.

Labels come from closed sets, and every series of a closed set exists from the start with the value 0: a
counter that first appears with the value 1 is invisible to `increase()`, so the first conflict of all would
be the one that nobody sees. A bot is named by its id. `bot_id` is never crossed with a kind, an outcome or
the buckets of a histogram: a bot costs 7 series, or 18 with `Level.FULL`, and never more.

Names follow the rules of Prometheus: base units, `_total` on counters, times as timestamps.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from onepoller.coordination.conflict import RIVAL_KINDS, WEBHOOK_KINDS, Kind
from onepoller.coordination.events import Cause, Certainty, ClaimEvent, Dropped, Look, Outcome
from onepoller.coordination.report import Role

Labels = tuple[str, ...]


class Type(StrEnum):
    """What a number means to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"
    STATESET = "stateset"


class Level(StrEnum):
    """When a metric is exported."""

    PROCESS = "process"
    """Always; no bot label."""
    CORE = "core"
    """Always, for each bot. Alerts use `PROCESS` and `CORE` only."""
    FULL = "full"
    """For each bot, while the process has few."""
    SPARSE = "sparse"
    """Only for bots in trouble, and for a limited number of them."""


class Problem(StrEnum):
    """What can be wrong with a bot in this process."""

    RIVAL = "rival"
    WEBHOOK = "webhook"
    STALLED = "stalled"
    UNAUTHORIZED = "unauthorized"
    STALE_POLL = "stale_poll"


class PollResult(StrEnum):
    """The outcomes of a poll in few groups, for the histogram. Cancelled polls are in none."""

    UPDATES = "updates"
    EMPTY = "empty"
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """One metric family. `values` are the label sets that exist from the start."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    labels: Labels = ()
    values: tuple[Labels, ...] = ()
    buckets: tuple[float, ...] = ()
    level: Level = Level.PROCESS


def _each(*sets: type[StrEnum] | tuple[str, ...]) -> tuple[Labels, ...]:
    return tuple(product(*(tuple(str(value) for value in labels) for labels in sets)))


RESOLUTIONS: dict[Kind, tuple[str, ...]] = {
    Kind.PEER: ("stood_by", "peer_gone", "released"),
    **dict.fromkeys(sorted(RIVAL_KINDS), ("rival_gone", "yielded", "exited", "released", "replaced")),
    **dict.fromkeys(sorted(WEBHOOK_KINDS), ("webhook_gone", "webhook_deleted", "released", "replaced")),
}
"""How an episode of each kind can end; `released`: the claim went, and took it along; `replaced`: another
kind came, a webhook where a rival was. A ghost is no episode."""

EPISODE_KINDS = tuple(str(kind) for kind in Kind if kind in RESOLUTIONS)
TAKING_CAUSES = (Cause.FREE, Cause.HANDED_OVER, Cause.DIED, Cause.FENCED)
OPERATIONS = ("open", "close", "read", "swap")
"""Heartbeats have metrics of their own."""
ANSWERS = ("already_deleted", "drop_skipped", "refused", "deleted", "limit")
ROLES = tuple(role.label for role in Role)
DETAILS = (Level.FULL, Level.CORE)

_LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_EPISODE = (1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)
_POLL = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 90.0)
_OVERRUN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_STORE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SHARE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def _counter(name: str, meaning: str, **labels: type[StrEnum] | tuple[str, ...]) -> Metric:
    return Metric(
        name=f"onepoller_{name}_total",
        type=Type.COUNTER,
        meaning=meaning,
        labels=tuple(labels),
        values=_each(*labels.values()),
    )


def _gauge(name: str, meaning: str, *, unit: str = "", **labels: type[StrEnum] | tuple[str, ...]) -> Metric:
    return Metric(
        name=f"onepoller_{name}",
        type=Type.GAUGE,
        meaning=meaning,
        unit=unit,
        labels=tuple(labels),
        values=_each(*labels.values()),
    )


def _histogram(
    name: str, meaning: str, *, buckets: tuple[float, ...], **labels: type[StrEnum] | tuple[str, ...]
) -> Metric:
    return Metric(
        name=f"onepoller_{name}",
        type=Type.HISTOGRAM,
        meaning=meaning,
        unit=name.rpartition("_")[2],
        labels=tuple(labels),
        values=_each(*labels.values()),
        buckets=buckets,
    )


def _bot(name: str, kind: Type, meaning: str, *, unit: str = "", level: Level = Level.CORE) -> Metric:
    name = f"onepoller_{name}_total" if kind is Type.COUNTER else f"onepoller_{name}"
    return Metric(name=name, type=kind, meaning=meaning, unit=unit, labels=("bot_id",), level=level)


BUILD = Metric(
    name="onepoller_build_info",
    type=Type.INFO,
    meaning="What runs here",
    labels=("version", "python_version"),
)
STORE = Metric(
    name="onepoller_store_info", type=Type.INFO, meaning="The kind of store in use", labels=("store",)
)
LEASE_TTL = _gauge(
    "lease_ttl_seconds", "How long a session may be silent; 0 before the first", unit="seconds"
)
POLL_TIMEOUT = _gauge("poll_timeout_seconds", "The longest timeout seen in a getUpdates", unit="seconds")
BOTS = _gauge("bots", "Bots of this process by role", role=ROLES)
BOTS_WITH_PROBLEM = _gauge("bots_with_problem", "Bots of this process by problem", problem=Problem)
CONFLICTS = _counter("conflicts", "Conflict episodes that began", kind=EPISODE_KINDS)
CONFLICT_REPLIES = _counter("conflict_replies", "409 answers to getUpdates, of any kind", kind=Kind)
CONFLICT_RESOLUTIONS = Metric(
    name="onepoller_conflict_resolutions_total",
    type=Type.COUNTER,
    meaning="Conflict episodes that ended, and how",
    labels=("kind", "resolution"),
    values=tuple((str(kind), how) for kind, ends in RESOLUTIONS.items() for how in ends),
)
CONFLICTS_OPEN = _gauge("conflicts_open", "Conflict episodes that go on now", kind=EPISODE_KINDS)
CONFLICT_DURATION = _histogram("conflict_duration_seconds", "How long episodes lasted", buckets=_EPISODE)
CLAIM_EVENTS = _counter("claim_events", "What happened to claims, seen from here", event=ClaimEvent)
TAKEOVER_DURATION = _histogram(
    "takeover_duration_seconds",
    "From the decision to take a claim to the start of its first poll",
    buckets=_LONG,
    cause=tuple(str(cause) for cause in TAKING_CAUSES),
)
POLLS = _counter("polls", "getUpdates calls at Telegram that ended", outcome=Outcome)
LOOKS = _counter(
    "looks",
    "getUpdates calls that only looked whether somebody else polls; they are not among the polls",
    look=Look,
    outcome=Outcome,
)
POLL_DURATION = _histogram(
    "poll_duration_seconds",
    "How long getUpdates calls took, waiting included",
    buckets=_POLL,
    result=PollResult,
)
POLL_OVERRUN = _histogram(
    "poll_overrun_seconds", "Time of empty polls beyond their timeout: the network's part", buckets=_OVERRUN
)
UPDATES_RECEIVED = _counter("updates_received", "Updates that polls brought")
UPDATES_DROPPED = _counter(
    "updates_dropped",
    "Updates that were not handed over; Telegram keeps them, but for those that came again",
    reason=Dropped,
)
UPDATE_GAPS = _counter("update_gaps", "Jumps and repeats of update_id: somebody else may consume updates")
UPDATES_MISSED = _counter("updates_missed", "Updates that gaps in update_id stand for, an estimate")
UPDATES_REPEATED = _counter("updates_repeated", "Updates that came again")
STALLS = _counter("stalls", "Claims given up because the framework had stopped calling")
TOKENS_REFUSED = _counter("tokens_refused", "Times that Telegram began to refuse a token")
WEBHOOK_CALLS = _counter(
    "webhook_calls_guarded", "Start-up calls that were answered here, or deleted a webhook", answer=ANSWERS
)
HEARTBEATS = _counter("heartbeats", "Heartbeats of the session that were tried")
HEARTBEAT_FAILURES = _counter("heartbeat_failures", "Heartbeats of the session that failed")
HEARTBEAT_MARGIN = _histogram(
    "heartbeat_margin_ratio", "Share of the lease that was left when a heartbeat succeeded", buckets=_SHARE
)
STORE_REQUESTS = _counter("store_requests", "Operations of the store", operation=OPERATIONS)
STORE_FAILURES = _counter(
    "store_request_failures", "Operations of the store that failed", operation=OPERATIONS
)
STORE_DURATION = _histogram(
    "store_request_duration_seconds", "How long operations took", buckets=_STORE, operation=OPERATIONS
)
STORE_TROUBLE = _gauge("store_trouble", "1 while the store is not well")
CLAIMS = _gauge(
    "claims", "Claims of this process by how sure it is of them; lost: its store is away", certainty=Certainty
)
SESSIONS_OPENED = _counter("sessions_opened", "Sessions that this process opened")
SESSIONS_LOST = _counter("sessions_lost", "Sessions that another ended, or whose store was replaced")
COLLECT_DURATION = _gauge(
    "collect_duration_seconds", "How long the scrape before this one took", unit="seconds"
)
DETAIL_LEVEL = _gauge("metrics_detail_level", "1 at the level of detail in use", level=DETAILS)

CLAIM_HELD = _bot("claim_held", Type.GAUGE, "1 while this process holds the bot's claim")
LAST_POLL = _bot(
    "last_successful_poll_timestamp_seconds",
    Type.GAUGE,
    "When Telegram last answered a poll with 200; 0 if never",
    unit="seconds",
)
CLAIM_ACQUIRED = _bot(
    "claim_acquired_timestamp_seconds", Type.GAUGE, "When the claim was got; 0 while not held", unit="seconds"
)
CLAIM_TERM = _bot("claim_term", Type.GAUGE, "The claim's last known term; it never goes back")
BOT_CONFLICTS = _bot("bot_conflicts", Type.COUNTER, "Conflict episodes of the bot that began")
BOT_ACQUISITIONS = _bot("bot_claim_acquisitions", Type.COUNTER, "Times that this process got the claim")
BOT_GAPS = _bot("bot_update_gaps", Type.COUNTER, "Jumps and repeats of the bot's update_id")
BOT_ROLE = Metric(
    name="onepoller_bot_role",
    type=Type.STATESET,
    meaning="The bot's role in this process",
    labels=("bot_id", "onepoller_bot_role"),
    level=Level.FULL,
)
BOT_POLLS = _bot("bot_polls", Type.COUNTER, "getUpdates calls at Telegram that ended", level=Level.FULL)
BOT_RECEIVED = _bot("bot_updates_received", Type.COUNTER, "Updates that polls brought", level=Level.FULL)
BOT_DROPPED = _bot("bot_updates_dropped", Type.COUNTER, "Updates that were not handed over", level=Level.FULL)
BOT_STANDBY = _bot(
    "bot_standby_seconds", Type.COUNTER, "Time spent in standby", unit="seconds", level=Level.FULL
)
BOT_PROBLEM = Metric(
    name="onepoller_bot_problem",
    type=Type.GAUGE,
    meaning="1 for each problem that a bot has; for 200 bots of a process at most",
    labels=("bot_id", "problem"),
    level=Level.SPARSE,
)

METRICS: tuple[Metric, ...] = tuple(value for value in globals().copy().values() if isinstance(value, Metric))
"""All of them, in the order of this file, which is the order of the output."""
