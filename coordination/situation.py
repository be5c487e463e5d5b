"""The nouns of the decision: the state of one bot in one process, what can happen to it, what to do then.

Only data. The rules are in `decide`. Times are monotonic seconds passed in by the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, Why
from onepoller.coordination.identity import Identity, Term
from onepoller.coordination.record import quick
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival, Settings
from onepoller.coordination.stores.seam import Episode


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEpisode:
    """An episode that is going on, as this process counts it."""

    kind: Kind
    since: float
    conflicts: int = 1
    last: float = 0.0
    longest_gap: float = 0.0
    """Between two signs of the rival, seconds: its rhythm."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One bot in one process."""

    role: Role = Role.STARTING
    term: Term | None = None
    """The term that we hold; None without the claim."""
    taken_at: float = 0.0
    unclean: bool = False
    """The predecessor's poll may not have ended at the server: its ghost may answer us with a 409."""
    handed: bool = False
    """That is so because it handed the bot over, and no poll of ours was answered since."""
    longest_park: float = 0.0
    quick_conflicts: int = 0
    """409s in a row that came in under half a second."""
    renew_at: float = 0.0
    """The poll that is open at this moment is ended and sent anew."""
    yielding: bool = False
    """CONTENDED, and not polling: the rival has the bot."""
    look: float = 0.0
    """For so many seconds it is looked whether somebody else polls, before the next poll; 0: not at all."""
    look_at: float = math.inf
    """Who has not parked until this moment looks once: busy pollers meet no 409."""
    trial: float = 0.0
    """Seconds with a call open since we began to poll, until we are established."""
    established_at: float | None = None
    """Since when nobody contradicts us, for ourselves and those before us; None: on trial."""
    insist_until: float | None = None
    """So long an established poller holds in this fight."""
    came_back: bool = False
    """On trial because the rival seemed to be gone."""
    back_at: float = -math.inf
    """When we last came back."""
    watch_for: float = 8.0
    """How long what waits is watched before we come back; longer after each time that was wrong."""
    episode: OpenEpisode | None = None
    failing_since: float | None = None
    passes: int = 0
    """How often the claim was passed on since a poll last succeeded."""


# What can happen


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """The framework called us and we do not hold the claim."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTaken:
    """The store gave us the claim."""

    term: Term
    cause: Cause
    clean: bool = True
    episode: Episode | None = None
    tenure: float | None = None
    """How long whoever polled before us had been established, with us next in line; None: we are new here."""
    jitter: float = 0.5
    """0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDenied:
    """A living session holds the claim, or is before us in the line."""

    holder: Identity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLost:
    """The claim is not ours any more, or we have let it go."""

    cause: Cause


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Telegram answered a poll with 200."""

    elapsed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokeOff:
    """A poll ended without an answer, in its own time: until then nobody else had parked."""

    elapsed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A poll ended with an error that is no 409; the framework is given it."""

    unauthorized: bool = False
    silence: float = 0.0
    """Seconds in which somebody else may have begun to poll unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overslept:
    """We are about to poll, and Telegram has not answered us for a minute: a freeze, a sleep, a handler."""

    silence: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOn:
    """We are about to poll without knowing whether the claim is still ours, as told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesTaken:
    """`update_id` shows that somebody else took updates while we polled, or gave us some again."""

    jitter: float
    """0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictMet:
    """A poll was answered 409."""

    kind: Kind
    elapsed: float
    jitter: float
    """0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookGone:
    """getWebhookInfo shows no webhook any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSeen:
    """getWebhookInfo, asked because of a rival, shows a webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalGone:
    """A look from outside found nobody who polls."""

    unopposed: bool = False
    """A poll of ours was open for as long as a trial takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalSeen:
    """A look from outside found that somebody polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverAsked:
    """A peer is to have the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverFailed:
    """The peer is gone, or the store did not take it; we go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """The sweep came by."""


Happening = (
    Called
    | ClaimTaken
    | ClaimDenied
    | ClaimLost
    | Answered
    | BrokeOff
    | Failed
    | ConflictMet
    | WebhookGone
    | WebhookSeen
    | RivalGone
    | RivalSeen
    | UpdatesTaken
    | Overslept
    | HeldOn
    | HandoverAsked
    | HandoverFailed
    | TimePassed
)


# What to do


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOn:
    """Give the outcome of this poll to the framework."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAgain:
    """Poll again inside the same call."""

    after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitClaim:
    """Wait for the claim inside the same call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Watch from outside, read-only, inside the same call: the webhook, or the rival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassClaim:
    """Give the claim to a waiting peer, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellEpisodeOpened:
    """An episode began."""

    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class TellEpisodeClosed:
    """An episode ended."""

    episode: OpenEpisode
    resolution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellStoodBy:
    """We leave the bot to the rival."""

    episode: OpenEpisode
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class TellCameBack:
    """The rival seems to be gone: we poll, and see whether its episode is over."""

    episode: OpenEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class EndProcess:
    """End this process with exit code 75."""

    reason: str


Action = (
    HandOn
    | PollAgain
    | AwaitClaim
    | Watch
    | PassClaim
    | TellEpisodeOpened
    | TellEpisodeClosed
    | TellStoodBy
    | TellCameBack
    | EndProcess
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that the decision depends on."""

    on_rival: OnRival = OnRival.AUTO
    standby: bool = True
    pass_after: float = 60.0

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """What these settings say."""
        return cls(on_rival=settings.on_rival, standby=settings.standby, pass_after=settings.pass_after)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The next state and what to do."""

    state: State
    actions: tuple[Action, ...] = ()
