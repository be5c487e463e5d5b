"""The seam between the instance and a store: sessions, claims, wishes, and six methods.

A store keeps *sessions* (alive or over, never revived) and, for each bot, one versioned *claim* and the
*wishes* of sessions for it. It has no policy: it does not know who is next. It promises three things:

1. A write names the version that it expects; where another write came first, it is refused and nothing of
   that claim changes.
2. A session that is over writes nothing any more, and never comes back.
3. A claim that was taken on the condition that its holder is over was taken from a session that was proved
   to be over, in the same atomic step, and that session is over for everybody from then on.

Every store passes `onepoller.testing.store_contract`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.record import quick


class WishMode(StrEnum):
    """What a wish asks of a living holder."""

    STANDBY = "standby"
    """Nothing: it waits."""
    TAKEOVER = "takeover"
    """To hand over to the session that wishes."""
    REPLACE = "replace"
    """The same; it will be fenced out where it does not."""
    HANDOVER = "handover"
    """To hand over to whoever waits; the session that wishes wants nothing for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """How far the former holder's framework had acknowledged. Wall clock: it is compared in days."""

    value: int
    api_root: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A conflict episode. It lies in the claim, so that a successor goes on with it."""

    kind: Kind
    since: float
    """Wall clock, seconds; for people."""
    conflicts: int = 1
    detail: str = ""
    """The webhook's host, or the text of an unknown 409."""
    stands_by: bool = False
    """A rival has the bot: the holder looks from outside until it is gone."""
    next_probe: float = 0.0
    """With that: when its next probe is due; wall clock, seconds. A successor goes on with it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How long the bot's poller has been established: against a rival the incumbent holds."""

    tenure: float
    """Seconds, at the moment of writing; below 0: on trial, but somebody polled."""
    at: float
    """That moment: wall clock, seconds. It is only added to what people would call days."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to poll one bot. `holder` None means free; `version` 0 means never written."""

    bot_id: BotId
    version: int = 0
    holder: SessionId | None = None
    term: Term = Term(0)
    since: float = 0.0
    """When the term began: wall clock, seconds; for people."""
    heir: SessionId | None = None
    """The session that a free claim was handed to (directed transfer)."""
    clean: bool = True
    """The last holder had ended its poll when it let go."""
    offset: Offset | None = None
    episode: Episode | None = None
    standing: Standing | None = None
    """Of the last holder, where it had one to pass on."""

    def written(self, term: Term) -> Claim:
        """The claim as it is after a swap has written it in this term.

        Spelled out: `dataclasses.replace` takes 80 ms for 10,000.
        """
        return Claim(
            bot_id=self.bot_id,
            version=self.version + 1,
            holder=self.holder,
            term=term,
            since=self.since,
            heir=self.heir,
            clean=self.clean,
            offset=self.offset,
            episode=self.episode,
            standing=self.standing,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A session's standing request for a claim."""

    bot_id: BotId
    session: SessionId
    since: int = 0
    """Place in the store's order of arrival; given by the store when the wish is first written."""
    priority: int = 0
    mode: WishMode = WishMode.STANDBY
    aim: Term | None = None
    """Not STANDBY: the term that held the claim when the wish was made; another term is not asked."""


class Liveness(StrEnum):
    """What is known of a session. Only `OVER` is a proof."""

    ALIVE = "alive"
    SILENT = "silent"
    """It has not beaten for a lease, or its lock is free: a swap that requires it to be over will succeed."""
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A session as others see it."""

    id: SessionId
    identity: Identity
    liveness: Liveness
    lease: float
    """Seconds; the lease that this session promised to keep."""
    report: bytes = b""
    """What it said of its bots with its last beat (`report`); may be empty."""
    silence: float = math.inf
    """Seconds since its last beat, as far as that is known; for what need not be exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a read saw. A bot that was never claimed has a `Claim` of version 0."""

    claims: Mapping[BotId, Claim]
    wishes: Mapping[BotId, Sequence[Wish]]
    """In order of arrival; wishes of sessions that are over are left out."""
    sessions: Mapping[SessionId, SessionRecord]
    """Every session named by these claims and wishes (for a read of everything: all that are known)."""
    trouble: str = ""
    """One sentence where the store is not well (a frozen writer with its pid, a full disk), else empty."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One claim to write. `claim.version` is the version expected; the store writes version + 1.

    `requires_over` names a session that must be proved over in the same step. `term` 0 in a claim that was
    never written is replaced by the store's first term where it is higher (`first_term`).
    """

    claim: Claim
    requires_over: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Claims and wishes to write in one call, atomically as far as each claim goes."""

    swaps: Sequence[Swap] = ()
    wishes: Sequence[Wish] = ()
    """To write or renew; a wish that stands already keeps its place in the order."""
    withdrawn: Sequence[BotId] = ()
    """Bots for which the writer's own wish is taken back; not where a swap of that bot was refused."""
    wake: Collection[SessionId] = ()
    """Sessions to wake *after* the write can be seen by others."""

    def taken_back(self, written: Collection[BotId]) -> list[BotId]:
        """The bots of `withdrawn` whose wish goes, given the claims that were written: for stores."""
        refused = {swap.claim.bot_id for swap in self.swaps}.difference(written)
        return [bot_id for bot_id in self.withdrawn if bot_id not in refused]


class Session(Protocol):
    """Our own session. Its reads cost microseconds and may be done from any thread."""

    @property
    def id(self) -> SessionId:
        """The fresh random id."""
        ...

    @property
    def deadline(self) -> float:
        """Boot clock, seconds: after it nothing is sent or delivered before `Store.beat(confirm=True)`."""
        ...

    @property
    def fence_wait(self) -> float:
        """For how long a living holder may deliver after its claim was written away, seconds.

        0 where `has_claim` looks into the store itself.
        """
        ...

    def has_claim(self, bot_id: BotId, term: Term) -> bool:
        """Look before delivery: the claim is still ours, in a store that is still the same.

        Never raises; where it cannot be known the answer is False. Does not block on other writers.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something happened in the store. `session` None: it could be anything."""

    session: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """What a swap did: the claims as they are now, by bot, of those that were written."""

    written: Mapping[BotId, Claim] = field(default_factory=dict)


class Store(Protocol):
    """Six methods. All are called from one event loop; none may block it for long.

    Errors: `StoreUnavailable` (nothing was written, try again), `SessionOver`, `StoreUnfit`.
    """

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on."""
        ...

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody who waits is woken. Idempotent."""
        ...

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        """Say that the session lives, and move its deadline.

        `confirm`: prove, in the store's own order of writes, that nobody has ended it meanwhile (needed
        once the deadline has passed). Raises SessionOver where it is over, replaced or foreign.
        """
        ...

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all. Changes no claim, wakes nobody."""
        ...

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one call; each claim only if its version is the expected one."""
        ...

    def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield when claims or wishes may have changed or a session may have ended.

        Misses nothing for longer than the store's slow re-read (1 s for the file store).
        """
        ...
