"""What happened, one frozen record per occurrence, for listeners: metrics, logs, the user's own code.

A listener is any callable with one argument. It is called in the thread where the thing happened (the
caller's, or the runner's), must return quickly, and a failing one is logged once and never disturbs the
coordination. Names are in the past tense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import BotId, Identity, Term
from onepoller.coordination.record import quick
from onepoller.coordination.report import Role


class ClaimEvent(StrEnum):
    """What can happen to a claim, as label of the metrics."""

    ACQUIRED = "acquired"
    DENIED = "denied"
    RELEASED = "released"
    HANDED_OVER = "handed_over"
    TAKEN_OVER = "taken_over"
    LOST = "lost"
    EXPIRED = "expired"


class Cause(StrEnum):
    """Why a claim changed hands, or was let go."""

    FREE = "free"
    """It was free: nobody had it, or it was released."""
    HANDED_OVER = "handed_over"
    DIED = "died"
    """The holder's session was over: killed, frozen, starved."""
    FENCED = "fenced"
    """`replace` took it from a living holder."""
    STOPPED = "stopped"
    """The framework stopped."""
    STALLED = "stalled"
    FAILING = "failing"
    """The holder's calls only failed; a peer gets its turn."""
    SESSION = "session"
    """Our session was ended, or its file or database was replaced."""
    STORE = "store"
    """The store was away until our session's deadline."""


class Certainty(StrEnum):
    """How sure a process is of the claims of its session, as label of the metrics."""

    HELD = "held"
    UNCERTAIN = "uncertain"
    """A heartbeat failed; the deadline has not passed."""
    LOST = "lost"
    """Heartbeats fail, and the deadline is here: another may have taken them."""


class Outcome(StrEnum):
    """How a poll ended, as label of the metrics."""

    UPDATES = "updates"
    EMPTY = "empty"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class Look(StrEnum):
    """How we look whether somebody else polls, as label of the metrics."""

    PEEK = "peek"
    """A question for the first update that does not wait."""
    PROBE = "probe"
    """A long poll while we stand by."""


class Why(StrEnum):
    """Why we leave a bot to a rival in the middle of an episode."""

    NEW = "new"
    """`auto`: we are on trial, so it was here before us."""
    INSISTED = "insisted"
    """`auto`: we held for as long as we had been established."""
    REFUSED = "refused"
    """`auto`: Telegram has refused us at once so often that it takes the other one for the incumbent."""
    SEEN = "seen"
    """`auto`: it began to poll while our calls failed, and a look has shown it."""
    CAME_BACK = "came_back"
    """It had seemed to be gone, and is there."""
    TOLD = "told"
    """The policy is to leave it the bot."""


class Dropped(StrEnum):
    """Why updates were not handed over."""

    STALE_OWNER = "stale_owner"
    FINAL_CONFIRM = "final_confirm"
    REPEATED = "repeated"
    """This framework had been given them, and had acknowledged them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSeen:
    """A guard for this bot was made in this process."""

    bot_id: BotId


@dataclass(frozen=True, slots=True, kw_only=True)
class BotGone:
    """The last guard for this bot has ended."""

    bot_id: BotId


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged:
    """A bot's phase in this process changed."""

    bot_id: BotId
    role: Role
    was: Role
    term: Term | None = None
    cause: Cause | None = None
    holder: Identity | None = None
    """STANDBY: who polls, where the store says so."""
    holder_since: float = 0.0
    detail: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimChanged:
    """Something happened to the claim of a bot, seen from here."""

    bot_id: BotId
    event: ClaimEvent
    term: Term
    cause: Cause
    other: Identity | None = None
    """Whom it came from or went to, where known."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PollEnded:
    """One getUpdates at Telegram ended."""

    bot_id: BotId
    outcome: Outcome
    seconds: float
    updates: int = 0
    timeout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPollEnded:
    """The first getUpdates of a term ended. Told only then: nobody has time while ten thousand are sent."""

    bot_id: BotId
    seconds: float
    """From the decision to take the claim until it was sent."""
    cause: Cause
    """Why the claim had changed hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookEnded:
    """One getUpdates that only looked whether somebody else polls has ended. It is no poll."""

    bot_id: BotId
    look: Look
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesDropped:
    """Updates came that must not be handed over; Telegram keeps them, but for those that came again."""

    bot_id: BotId
    count: int
    reason: Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateGap:
    """`update_id` jumped, or repeated: somebody else may consume updates (or some expired)."""

    bot_id: BotId
    missed: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSeen:
    """One 409 on getUpdates, any kind. Episodes are counted by `EpisodeOpened`."""

    bot_id: BotId
    kind: Kind
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOpened:
    """A conflict episode began."""

    bot_id: BotId
    kind: Kind
    policy: str
    other: Identity | None = None
    """PEER: who."""
    detail: str = ""
    """Webhook kinds: its host. UNKNOWN: the text."""
    stands_by: bool = False
    """The rival has the bot; we look from outside until it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoodBy:
    """In the middle of an episode we leave the bot to the rival, and look from outside until it is gone."""

    bot_id: BotId
    kind: Kind
    conflicts: int
    why: Why = Why.NEW


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeClosed:
    """A conflict episode ended."""

    bot_id: BotId
    kind: Kind
    resolution: str
    seconds: float
    conflicts: int
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """The framework has stopped calling us; the claim is given up."""

    bot_id: BotId
    seconds: float
    """Since its last call ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOverlap:
    """A second poller of this process had to wait for the first: it never reached Telegram."""

    bot_id: BotId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsResumed:
    """A framework that had stopped calling us calls again."""

    bot_id: BotId


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused:
    """Telegram answered 401: the token was revoked, or is another bot's."""

    bot_id: BotId


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCallGuarded:
    """A start-up call (deleteWebhook, drop_pending_updates, a negative offset) was answered or let pass."""

    bot_id: BotId
    answer: str
    """`already_deleted`, `drop_skipped`, `refused`; `on_webhook="delete"`: `deleted`, `limit`."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatEnded:
    """A heartbeat of the session was tried."""

    seconds: float
    error: str = ""
    margin: float = 1.0
    """Share of the lease that was left when it succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCalled:
    """One operation of the store ended."""

    operation: str
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTrouble:
    """The store is not well (or well again: empty text). One sentence for people."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertaintyChanged:
    """The store stopped answering our heartbeats, did so until the deadline, or answers again."""

    certainty: Certainty
    was: Certainty
    claims: int
    """How many claims this process had before."""
    left: float = 0.0
    """UNCERTAIN: seconds until the deadline."""
    holds: bool = False
    """LOST: they are polled on all the same (`on_store_loss="hold"`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldEnded:
    """We polled on without the store, and somebody else was seen to poll."""

    bot_id: BotId


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """This process has a new session in the store."""

    session: str
    store: str
    lease: float
    note: str = ""
    """One sentence where the store covers less than one would think, else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLost:
    """This process's session was ended by another, or its file or database was replaced."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnding:
    """We end this process, because we were told to (`standby=False`, `on_rival="exit"`)."""

    bot_id: BotId
    reason: str
    code: int = field(default=75)


Event = (
    BotSeen
    | BotGone
    | RoleChanged
    | ClaimChanged
    | FirstPollEnded
    | PollEnded
    | LookEnded
    | UpdatesDropped
    | UpdateGap
    | ConflictSeen
    | EpisodeOpened
    | StoodBy
    | EpisodeClosed
    | Stalled
    | CallsResumed
    | OwnOverlap
    | TokenRefused
    | WebhookCallGuarded
    | BeatEnded
    | StoreCalled
    | StoreTrouble
    | CertaintyChanged
    | HoldEnded
    | SessionOpened
    | SessionLost
    | ProcessEnding
)


class Listener(Protocol):
    """Anything that wants to hear of events."""

    def __call__(self, event: Event, /) -> None:
        """Take one event; return quickly."""
        ...
