"""What was seen, as records: everything that a diagnosis rests on, and nothing that is a secret.

Times are wall clock, for people; the few comparisons are between times of this host and its store.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from onepoller.coordination.report import Role
from onepoller.coordination.stores.seam import Episode


class Access(StrEnum):
    """What Telegram says of the token."""

    GRANTED = "granted"
    MALFORMED = "malformed"
    """It is no token, so nothing was asked."""
    REVOKED = "revoked"
    WRONG_SERVER = "wrong_server"
    """404, or "Logged out": it is no method of a bot that this server serves."""
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One getWebhookInfo."""

    at: float
    pending: int
    webhook_host: str = ""
    """Its path often holds a secret, and is not kept."""
    delivery_error: str = ""
    """The last error of a delivery to the webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process that has this bot open in our store."""

    who: str
    host: str
    pid: int
    label: str
    is_here: bool
    """On this host, in whatever container."""
    is_alive: bool
    lease: float
    role: Role | None = None
    last_poll: float = 0.0
    """Of the last poll that Telegram answered with 200; 0 if it has told of none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSeen:
    """What the store shows of this bot."""

    name: str
    note: str = ""
    trouble: str = ""
    holder: Instance | None = None
    """Also one that is dead, if nobody has taken its claim."""
    since: float = 0.0
    episode: Episode | None = None
    standbys: tuple[Instance, ...] = ()
    silent: tuple[Instance, ...] = ()
    """Have the bot open, and neither hold it nor wait for it."""

    @property
    def poller(self) -> Instance | None:
        """The holder, if it lives."""
        return self.holder if self.holder is not None and self.holder.is_alive else None


class ProbeEnd(StrEnum):
    """How a probe ended."""

    CONFLICT = "conflict"
    EMPTY = "empty"
    UPDATES = "updates"
    """Updates waited, so it was answered at once and met nobody."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One long poll that confirmed nothing."""

    seconds: float
    end: ProbeEnd
    elapsed: float = 0.0
    text: str = ""
    """FAILED, SKIPPED: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it."""

    variable: str
    """The environment variable that holds the token."""
    api: str
    """The host of the API root."""
    access: Access
    store: StoreSeen
    earlier: StoreSeen
    """The same store at the first look."""
    now: float
    reason: str = ""
    """Access was not granted: one sentence."""
    bot_id: int | None = None
    username: str = ""
    looks: tuple[Look, ...] = ()
    probe: Probe | None = None

    @property
    def waited(self) -> float:
        """Seconds between the first look and the last."""
        return self.looks[-1].at - self.looks[0].at if self.looks else 0.0
