"""What the log says of an event: one clear sentence, what we do and what the reader can do. Pure.

Templates are constant and keep their arguments apart, so that log collectors can group by them. WARNING
means that a person should look. What began with a warning ends with one, for those who see nothing below it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, Certainty, ClaimEvent, Event
from onepoller.coordination.identity import Identity, short_term
from onepoller.coordination.report import Role

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A log line: level, template, arguments."""

    level: int
    text: str
    args: tuple[object, ...] = ()


def sentence(event: Event, *, me: Identity, wall: float) -> Line | None:
    """Give the line for an event; None for what happens all the time and is counted only."""
    match event:
        case events.RoleChanged():
            return _role(event, me=me, wall=wall)
        case events.ClaimChanged():
            return _claim(event)
        case events.EpisodeOpened():
            return _opened(event)
        case events.EpisodeClosed():
            text = "conflict over: bot %s: %s after %s; %d conflict answers, %s"
            how = _ENDS.get(event.resolution, event.resolution)
            missed = (
                f"about {event.missed} updates went elsewhere" if event.missed else "no update is missing"
            )
            told = (how, _span(event.seconds), event.conflicts, missed)
            return Line(level=WARNING, text=text, args=(event.bot_id, *told))
        case events.StoodBy():
            text = (
                "bot %s: the other program stays, and was here before us: I stand by, look from outside and "
                "poll again when it is gone (onepoller doctor)"
            )
            return Line(level=WARNING, text=text, args=(event.bot_id,))
        case events.ConflictSeen():
            text = "409 for bot %s after %.2f s: %s"
            return Line(level=DEBUG, text=text, args=(event.bot_id, event.seconds, event.kind))
        case events.WebhookCallGuarded():
            return _guarded(event)
        case _:
            return _trouble(event) or _of_the_store(event)


_ENDS = {
    "rival_gone": "the other program is gone",
    "peer_gone": "the other instance is gone",
    "stood_by": "another instance of ours polls, and this one stands by",
    "webhook_gone": "the webhook is gone",
    "released": "the claim is with another instance, which goes on with it",
}


def _trouble(event: Event) -> Line | None:
    match event:
        case events.UpdateGap():
            text = (
                "bot %s: %d updates never came here and %d came again: somebody else may poll this bot "
                "where no conflict shows it, or they expired"
            )
            return Line(level=WARNING, text=text, args=(event.bot_id, event.missed, event.repeated))
        case events.UpdatesDropped():
            text = "bot %s: %d updates were not handed over (%s); Telegram keeps them"
            return Line(level=INFO, text=text, args=(event.bot_id, event.count, event.reason))
        case events.Stalled():
            text = (
                "bot %s: the framework has not called getUpdates for %s, so its claim is given up and "
                "another instance may poll. If its loop is dead, only a restart helps: /healthz says so"
            )
            return Line(level=ERROR, text=text, args=(event.bot_id, _span(event.seconds)))
        case events.OwnOverlap():
            text = (
                "bot %s: this process polls it twice; the second poller waits for the first, and Telegram "
                "sees one. It is a second poller of your own: start polling once"
            )
            return Line(level=WARNING, text=text, args=(event.bot_id,))
        case events.CallsResumed():
            return Line(level=INFO, text="bot %s: the framework calls again", args=(event.bot_id,))
        case events.TokenRefused():
            text = (
                "bot %s: Telegram refuses the token (401): it was revoked, or replaced. Some frameworks end "
                "their polling without a word now. Get the valid token from @BotFather and restart with it"
            )
            return Line(level=ERROR, text=text, args=(event.bot_id,))
        case events.ProcessEnding():
            text = "ending this process with exit code %d, as told: bot %s: %s"
            return Line(level=WARNING, text=text, args=(event.code, event.bot_id, event.reason))
        case _:
            return None


def reminder(kind: Kind, *, bot_id: int, seconds: float, conflicts: int) -> Line:
    """Give the line that says that an episode still goes on."""
    text = "conflict goes on: bot %s, %s, for %s now, %d conflict answers (onepoller status)"
    return Line(level=WARNING, text=text, args=(bot_id, kind, _span(seconds), conflicts))


_HOW = {
    Cause.HANDED_OVER: ", handed over",
    Cause.DIED: ", taken over: the holder before is dead or frozen",
    Cause.FENCED: ", taken over by `replace`",
    Cause.STALLED: ", taken over: the holder before had stopped polling",
    Cause.FAILING: ", taken over: the holder before could not poll",
}


def _role(event: events.RoleChanged, *, me: Identity, wall: float) -> Line:
    match event.role:
        case Role.POLLING if event.was is not Role.CONTENDED:
            text = "polling bot %s as %s, term %s%s"
            how = _HOW.get(event.cause, "") if event.cause else ""
            return Line(level=INFO, text=text, args=(event.bot_id, me.who, short_term(event.term or 0), how))
        case Role.STANDBY:
            level = WARNING if event.was is Role.STARTING else INFO
            if event.holder is None:
                text = "standing by: bot %s%s; I poll as soon as I may (onepoller status)"
                return Line(
                    level=level, text=text, args=(event.bot_id, f": {event.detail}" if event.detail else "")
                )
            text = "standing by: bot %s is polled by %s%s; I take over when it ends (onepoller status)"
            since = f" since {_time_of_day(event.holder_since, wall=wall)}" if event.holder_since else ""
            return Line(level=level, text=text, args=(event.bot_id, event.holder.who, since))
        case Role.STOPPED:
            return Line(level=INFO, text="stopped: bot %s", args=(event.bot_id,))
        case _:
            told = (event.bot_id, event.was.label, event.role.label)
            return Line(level=DEBUG, text="bot %s: from %s to %s", args=told)


def _claim(event: events.ClaimChanged) -> Line:
    if event.event in (ClaimEvent.LOST, ClaimEvent.EXPIRED):
        text = "bot %s: the claim is lost (%s, term %s); what comes in is not handed over, I queue up again"
        return Line(level=WARNING, text=text, args=(event.bot_id, event.cause, short_term(event.term)))
    other = f", {event.other.who}" if event.other else ""
    text = "bot %s: claim %s (%s, term %s%s)"
    return Line(
        level=DEBUG, text=text, args=(event.bot_id, event.event, event.cause, short_term(event.term), other)
    )


_POLICY = {
    "hold": "I keep polling",
    "yield": "I stand by until it is gone",
    "auto": "I was here before, so I keep polling",
    "exit": "I end this process",
}


def _opened(event: events.EpisodeOpened) -> Line:
    bot, doing = event.bot_id, _POLICY.get(event.policy, event.policy)
    if event.policy == "auto" and event.stands_by:
        doing = "it was here before us, so I stand by until it is gone"
    match event.kind:
        case Kind.WEBHOOK_ACTIVE | Kind.WEBHOOK_SET:
            text = (
                "conflict: bot %s has a webhook at %s, so Telegram refuses getUpdates. I delete nothing and "
                "poll again when it is gone"
            )
            return Line(level=WARNING, text=text, args=(bot, event.detail or "an unknown host"))
        case Kind.PEER:
            who = event.other.who if event.other else "another instance of ours"
            return Line(level=WARNING, text="conflict: bot %s is polled by %s; I stand by", args=(bot, who))
        case Kind.UNKNOWN:
            text = "conflict: bot %s: a 409 whose text is new to me (%s). I take it for a rival: %s"
            return Line(level=WARNING, text=text, args=(bot, event.detail, doing))
        case _:
            text = (
                "conflict: bot %s is also polled by somebody who is not in our store; %s. Find that program, "
                "or revoke the token with @BotFather"
            )
            return Line(level=WARNING, text=text, args=(bot, doing))


_ANSWERS = {
    "already_deleted": (
        DEBUG,
        "bot %s: deleteWebhook was answered here: there is no webhook%s",
    ),
    "drop_skipped": (
        WARNING,
        "bot %s: dropping the pending updates was skipped: an instance that works on them is alive%s",
    ),
    "refused": (
        ERROR,
        "bot %s: deleteWebhook was refused: the bot has a webhook%s. If it may go, set on_webhook='delete'",
    ),
}


def _guarded(event: events.WebhookCallGuarded) -> Line:
    detail = f" ({event.detail})" if event.detail else ""
    if event.answer not in _ANSWERS:
        text = "bot %s: a start-up call was answered here: %s%s"
        return Line(level=WARNING, text=text, args=(event.bot_id, event.answer, detail))
    level, text = _ANSWERS[event.answer]
    return Line(level=level, text=text, args=(event.bot_id, detail))


def _of_the_store(event: Event) -> Line | None:
    match event:
        case events.StoreTrouble(text=""):
            return Line(level=WARNING, text="the store is well again")
        case events.StoreTrouble(text=trouble):
            return Line(level=WARNING, text="the store is in trouble: %s", args=(trouble,))
        case events.CertaintyChanged():
            return _certainty(event)
        case events.HoldEnded():
            text = "bot %s: somebody else polls it while the store is away, so I stand by until it answers"
            return Line(level=WARNING, text=text, args=(event.bot_id,))
        case events.SessionOpened(note=""):
            text = "instances meet in %s, lease %g s"
            return Line(level=INFO, text=text, args=(event.store, event.lease))
        case events.SessionOpened():
            return Line(level=WARNING, text="instances meet in %s: %s", args=(event.store, event.note))
        case events.SessionLost():
            text = "this process's session is lost (%s): nothing is handed over until I have opened a new one"
            return Line(level=WARNING, text=text, args=(event.reason,))
        case events.BeatEnded() if event.error:
            return Line(level=DEBUG, text="a heartbeat failed: %s", args=(event.error,))
        case _:
            return None


def _certainty(event: events.CertaintyChanged) -> Line:
    match event.certainty:
        case Certainty.UNCERTAIN:
            text = "claims of %d bots uncertain: a heartbeat failed. I poll on until my deadline, for %s"
            line = Line(level=INFO, text=text, args=(event.claims, _span(event.left)))
        case Certainty.LOST:
            doing = (
                "I poll on, as told, until I see somebody else poll"
                if event.holds
                else "I stand by until it does, and another instance may take them"
            )
            text = "claims of %d bots lost: the store did not answer until my deadline. %s"
            line = Line(level=WARNING, text=text, args=(event.claims, doing))
        case Certainty.HELD:
            # What began with a warning ends with one.
            level = WARNING if event.was is Certainty.LOST else INFO
            line = Line(level=level, text="claims of %d bots: the store answers again", args=(event.claims,))
    return line if event.claims else Line(level=DEBUG, text=line.text, args=line.args)


def _time_of_day(moment: float, *, wall: float) -> str:
    then, now = time.localtime(moment), time.localtime(wall)
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def _span(seconds: float) -> str:
    """Say how long in the unit that a person would use."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
