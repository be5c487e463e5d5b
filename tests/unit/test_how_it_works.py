"""The table in docs/how-it-works.md is what `decide` does: each cell is asked for, none written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from onepoller.coordination.conflict import Kind
from onepoller.coordination.decide import IllegalHappening, decide
from onepoller.coordination.events import Cause
from onepoller.coordination.identity import Term
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import (
    Action,
    Answered,
    AwaitClaim,
    BrokeOff,
    Called,
    ClaimDenied,
    ClaimLost,
    ClaimTaken,
    ConflictMet,
    EndProcess,
    Failed,
    HandOn,
    HandoverAsked,
    HandoverFailed,
    Happening,
    HeldOn,
    OpenEpisode,
    Overslept,
    PassClaim,
    Policy,
    PollAgain,
    RivalGone,
    RivalSeen,
    State,
    TellCameBack,
    TellEpisodeClosed,
    TellEpisodeOpened,
    TellStoodBy,
    TimePassed,
    UpdatesTaken,
    Watch,
    WebhookGone,
    WebhookSeen,
)

PAGE = Path(__file__).parents[2] / "docs" / "how-it-works.md"
NOW = 1000.0
HOLD = Policy(on_rival=OnRival.HOLD)
EPISODES = {Role.CONTENDED: Kind.RIVAL, Role.BLOCKED: Kind.WEBHOOK_ACTIVE}
WITH_CLAIM = {Role.POLLING, Role.CONTENDED, Role.BLOCKED, Role.DRAINING}


def conflict(kind: Kind) -> ConflictMet:
    """Make a 409 of a kind."""
    return ConflictMet(kind=kind, elapsed=2.0, jitter=0.5)


ROWS: list[tuple[str, Happening, Policy]] = [
    ("the framework calls, and the claim is not ours", Called(), HOLD),
    ("the store gives us the claim", ClaimTaken(term=Term(4), cause=Cause.FREE), HOLD),
    ("somebody living has it", ClaimDenied(holder=None), HOLD),
    ("the same, with `standby=False`", ClaimDenied(holder=None), Policy(standby=False)),
    ("the claim is lost", ClaimLost(cause=Cause.SESSION), HOLD),
    ("the framework stops", ClaimLost(cause=Cause.STOPPED), HOLD),
    ("Telegram answers a poll", Answered(elapsed=2.0), HOLD),
    ("a poll ends without an answer", BrokeOff(elapsed=2.0), HOLD),
    ("a poll fails", Failed(), HOLD),
    ("a poll is answered 401", Failed(unauthorized=True), HOLD),
    ("409, `ghost`", conflict(Kind.GHOST), HOLD),
    ("409, `peer`", conflict(Kind.PEER), HOLD),
    ("409, `webhook_active` or `webhook_set`", conflict(Kind.WEBHOOK_ACTIVE), HOLD),
    ("409, `rival`, policy `auto`, on trial", conflict(Kind.RIVAL), Policy()),
    ("409, `rival`, policy `hold`, or `auto` once established", conflict(Kind.RIVAL), HOLD),
    ("409, `rival`, policy `yield`", conflict(Kind.RIVAL), Policy(on_rival=OnRival.YIELD)),
    ("409, `rival`, policy `exit`", conflict(Kind.RIVAL), Policy(on_rival=OnRival.EXIT)),
    ("the webhook is gone", WebhookGone(), HOLD),
    ("a look finds a webhook", WebhookSeen(), HOLD),
    ("a look finds nobody who polls", RivalGone(), HOLD),
    ("a look finds somebody who polls", RivalSeen(), Policy()),
    ("`update_id` shows that somebody takes updates", UpdatesTaken(jitter=0.5), HOLD),
    ("no answer for a minute", Overslept(silence=61.0), Policy()),
    ("the store is away, and we poll on as told", HeldOn(), HOLD),
    ("a peer is to have the claim", HandoverAsked(), HOLD),
    ("the handover failed", HandoverFailed(), HOLD),
    ("a minute has passed in quiet", TimePassed(), HOLD),
]


def before(role: Role) -> State:
    """Make a bot in this role, in the middle of what the role means."""
    kind = EPISODES.get(role)
    since = NOW - 60.0
    episode = None if kind is None else OpenEpisode(kind=kind, since=since, last=since)
    return State(role=role, term=Term(3) if role in WITH_CLAIM else None, episode=episode)


def word(action: Action) -> str:
    """Name an action as the page does."""
    match action:
        case HandOn():
            return "hands on"
        case PollAgain():
            return "polls"
        case AwaitClaim():
            return "waits"
        case Watch():
            return "watches"
        case PassClaim():
            return "passes it on"
        case EndProcess():
            return "ends"
        case TellEpisodeOpened() | TellEpisodeClosed() | TellStoodBy() | TellCameBack():
            return ""


def cell(role: Role, happened: Happening, policy: Policy) -> str:
    """Say what becomes of a bot in this role: the next state, where it is another one, and the actions."""
    try:
        decision = decide(before(role), happened, NOW, policy)
    except IllegalHappening:
        return "x"
    after = decision.state.role
    words = [f"**{after.label}**" if after is not role else "", *map(word, decision.actions)]
    return ", ".join(filter(None, words)) or "-"


def table() -> str:
    """Write the table."""
    head = ["", *(role.label for role in Role)]
    rows = [head, ["---"] * len(head)]
    rows += [[what, *(cell(role, happened, policy) for role in Role)] for what, happened, policy in ROWS]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_the_page_shows_what_decide_does() -> None:
    """Where this fails, decide has changed: put the table that it shows into the page."""
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- states -->")[2].partition("<!-- /states -->")[0].strip()

    assert shown == table()


def test_every_kind_of_happening_is_in_the_table() -> None:
    """A happening that is added to `situation` gets a row."""
    assert {type(happened) for _, happened, _ in ROWS} == set(get_args(Happening))
