"""What an adapter and a guard say to each other: one request, its outcome, and the functions that send it.

The adapter translates its framework's call into a `Request`, gives a `Wire` that can send it, awaits
`guard.get_updates(request, wire)`, and translates the outcome back. It decides nothing. What each poll makes
anew is a named tuple: a frozen dataclass takes twice as long to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol


class Request(NamedTuple):
    """One getUpdates. `timeout` in seconds, as the framework asked; `allowed_updates` None: not sent."""

    offset: int = 0
    limit: int | None = None
    timeout: float = 0.0
    allowed_updates: Sequence[str] | None = None


class Delivered(NamedTuple):
    """Telegram answered 200. `reply` is whatever the adapter needs to hand it on."""

    update_ids: Sequence[int]
    reply: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Telegram answered with an error. Only a 409 is ours; every other one is handed on."""

    status: int
    text: str
    reply: Any
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Nothing:
    """No updates: the adapter builds its framework's empty list."""


NOTHING = Nothing()
Outcome = Delivered | Refused | Nothing


class OnCancel(Enum):
    """What it means when the caller cancels a call."""

    STOPPING = auto()
    """The framework stops: let go at once (python-telegram-bot, aiogram)."""
    PAUSE = auto()
    """It may call again in a moment: the claim is kept for a second (plain loops, proxies)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How this kind of caller behaves."""

    on_cancel: OnCancel = OnCancel.PAUSE
    fetches_ahead: bool = False
    """It calls again before its handlers have finished; silence after a batch means the same as ever."""
    can_look: bool = True
    """A poll of it is one request, so that others can go before it; not so where a child polls by itself."""


class Wire(Protocol):
    """Sends requests for one call. `api_root` is everything before `/bot`; it holds no token."""

    @property
    def api_root(self) -> str:
        """Where the Bot API is."""
        ...

    @property
    def manners(self) -> Manners:
        """How the caller behaves."""
        ...

    async def poll(self, request: Request) -> Delivered | Refused:
        """Send one getUpdates with these parameters."""
        ...

    async def ask(self, method: str) -> dict[str, Any]:
        """Call a read-only method without parameters and return its `result`; raises where it failed."""
        ...


class SyncWire(Protocol):
    """The same for callers without an event loop."""

    @property
    def api_root(self) -> str:
        """Where the Bot API is."""
        ...

    @property
    def manners(self) -> Manners:
        """How the caller behaves."""
        ...

    def poll(self, request: Request) -> Delivered | Refused:
        """Send one getUpdates with these parameters."""
        ...

    def ask(self, method: str) -> dict[str, Any]:
        """Call a read-only method without parameters and return its `result`; raises where it failed."""
        ...


# What the guard's steps ask their driver to do


class SendPoll(NamedTuple):
    """Send this request. The driver answers with a PollEnd."""

    request: Request
    renew_after: float | None = None
    is_final: bool = False
    """A confirm on the way out: it is not an open poll that a handover would end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Call a read-only method; the driver answers with its result, or None where it failed."""

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Wait for this future, at most so long; the driver answers with its result, or None."""

    future: Any = field(repr=False)
    seconds: float


class Ended(Enum):
    """A poll that was ended from our side."""

    RENEWED = auto()
    INTERRUPTED = auto()
    OVERDUE = auto()


Step = SendPoll | Ask | Await


class Flight(Protocol):
    """A poll that is on its way; made by the driver."""

    started: float
    timeout: float

    @property
    def minds_deadline(self) -> bool:
        """Whether it ends by itself when the session's deadline has passed."""
        ...

    def interrupt(self, how: Ended) -> None:
        """End it from any thread, as soon as that is safe; without effect where it cannot be ended."""
        ...
