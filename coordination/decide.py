"""Who polls, and who yields: what one bot in one process does. Pure.

Two rules head this file: nothing changes a bot's state but the rules in its table; none of them knows which
framework or which store is in use. No await, clock, random number, log or I/O: time and jitter come in as
arguments.

Which of several processes gets a claim is `succession`. A bot is *starting* until the store has answered;
then it is *polling* (we hold the claim) or in *standby* (somebody else does). A 409 is news, not an error: it
is classified first (`conflict.classify`), then (`contention`)

    ghost          poll again after 1 to 3 s; no episode
    peer           stand by at once
    rival          *contended*: the incumbent holds and the newcomer yields, or as the policy says
    webhook        *blocked*: watch read-only, delete nothing, resume when it is gone

An episode ends when it has been quiet for longer than the rival's own rhythm, never by one won poll.
*draining*: a handover is under way; no new poll starts. *stopped*: the user ended it. Every other state
leads back to polling without a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onepoller.coordination import contention, episodes, tenure
from onepoller.coordination.conflict import WEBHOOK_KINDS, Kind
from onepoller.coordination.events import Cause
from onepoller.coordination.record import replace
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
    Decision,
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
    RivalGone,
    RivalSeen,
    State,
    TellEpisodeClosed,
    TimePassed,
    UpdatesTaken,
    WebhookGone,
    WebhookSeen,
)


class IllegalHappening(Exception):
    """This cannot happen in this state; nothing was changed. It is a defect of the caller."""


def decide(state: State, happened: Happening, now: float, policy: Policy) -> Decision:
    """The next state and what to do. Raises IllegalHappening and changes nothing where there is no rule."""
    rule = TABLE.get((state.role, type(happened)))
    if rule is None:
        raise IllegalHappening(f"{type(happened).__name__} in {state.role.label}")
    return rule(state, happened, now, policy)


def _called(state: State, _: Called, __: float, ___: Policy) -> Decision:
    if state.role is Role.STOPPED:
        state = replace(state, role=Role.STARTING)
    return Decision(state=state, actions=_AWAIT)


def _taken(state: State, taken: ClaimTaken, now: float, policy: Policy) -> Decision:
    open_episode = state.episode
    # Who hands a bot over closes its poll's connection, but the server keeps that poll: one that refuses
    # newcomers refuses us for it. In the middle of a fight a 409 is rather the rival's.
    handed = taken.clean and taken.cause is Cause.HANDED_OVER and taken.episode is None
    state = State(
        role=Role.POLLING,
        term=taken.term,
        taken_at=now,
        unclean=handed or not taken.clean,
        handed=handed,
        passes=state.passes,
    )
    if policy.on_rival is OnRival.AUTO:
        state = tenure.arrived(state, taken, now)
    inherited = taken.episode
    if inherited is None or inherited.kind is Kind.PEER:
        # The claim says what is open; an episode of ours that it does not know has ended with the change.
        return (
            episodes.closed(replace(state, episode=open_episode), "peer_gone")
            if open_episode
            else Decision(state=state)
        )
    episode = OpenEpisode(kind=inherited.kind, since=now, conflicts=inherited.conflicts, last=now)
    role = Role.BLOCKED if inherited.kind in WEBHOOK_KINDS else Role.CONTENDED
    state = replace(state, role=role, episode=episode)
    stands_by = policy.on_rival is OnRival.YIELD or (policy.on_rival is OnRival.AUTO and inherited.stands_by)
    return Decision(state=tenure.stood_by(state, now) if role is Role.CONTENDED and stands_by else state)


def _denied(state: State, denied: ClaimDenied, _: float, policy: Policy) -> Decision:
    if policy.standby:
        return Decision(state=replace(state, role=Role.STANDBY), actions=_AWAIT)
    who = denied.holder.who if denied.holder else "another instance"
    end = EndProcess(reason=f"{who} polls this bot, and standby is switched off")
    return Decision(state=replace(state, role=Role.STOPPED), actions=(*_AWAIT, end))


def _lost(state: State, lost: ClaimLost, _: float, __: Policy) -> Decision:
    role = Role.STOPPED if lost.cause is Cause.STOPPED else Role.STANDBY
    tell: tuple[Action, ...] = ()
    if state.episode is not None:
        # The claim carries the episode on to whoever comes next; for this process it is over.
        tell = (TellEpisodeClosed(episode=state.episode, resolution="released"),)
    state = State(role=role, passes=state.passes)
    return Decision(state=state, actions=(*tell, AwaitClaim()))


def _answered(state: State, answer: Answered, now: float, policy: Policy) -> Decision:
    state = tenure.answered(state, answer.elapsed, now)
    if state.handed:
        # Such a server would have refused this poll, too: nobody haunts us.
        state = replace(state, unclean=False, handed=False)
    parked = max(state.longest_park, answer.elapsed) if state.unclean else state.longest_park
    recovered = state.quick_conflicts or state.passes or state.failing_since is not None
    if recovered or parked != state.longest_park:
        state = replace(state, longest_park=parked, quick_conflicts=0, failing_since=None, passes=0)
    if state.episode is None:
        return Decision(state=state, actions=_HAND_ON)  # the hot path
    quiet = _time_passed(state, TimePassed(), now, policy)
    return Decision(state=quiet.state, actions=(*quiet.actions, *_HAND_ON))


def is_undisturbed(state: State) -> bool:
    """Whether a poll that is answered 200 changes nothing: what nearly every poll of an old term finds."""
    return (
        state.established_at is not None
        and state.episode is None
        and state.role is Role.POLLING
        and state.look_at == math.inf
        and state.failing_since is None
        and not (state.unclean or state.handed or state.quick_conflicts or state.passes)
    )


def _broke_off(state: State, end: BrokeOff, now: float, _: Policy) -> Decision:
    """A successor goes on with a trial that was over while our last poll was open."""
    return Decision(state=tenure.answered(state, end.elapsed, now))


def _failed(state: State, failure: Failed, now: float, policy: Policy) -> Decision:
    if policy.on_rival is OnRival.AUTO and not state.yielding:
        state = tenure.doubtful(state, failure.silence)
    since = now if state.failing_since is None else state.failing_since
    # A refused token is passed on at once, for the peer may have the new one; but only the first time, or two
    # that are refused would play ball with the claim.
    at_once = failure.unauthorized and not state.passes
    wait = 0.0 if at_once else policy.pass_after * 2**state.passes
    if now - since < wait:
        return Decision(state=replace(state, failing_since=since), actions=(HandOn(),))
    state = replace(state, failing_since=now, passes=state.passes + 1)
    return Decision(state=state, actions=(PassClaim(), HandOn()))


def _overslept(state: State, slept: Overslept, _: float, policy: Policy) -> Decision:
    if policy.on_rival is not OnRival.AUTO or state.yielding:
        return Decision(state=state)
    return Decision(state=tenure.doubtful(state, slept.silence))


def _held_on(state: State, _: HeldOn, __: float, ___: Policy) -> Decision:
    """Look, whatever is done about rivals: this one would be a peer."""
    if state.yielding:
        return Decision(state=state)
    return Decision(state=replace(state, look=max(state.look, tenure.LOOK_AGAIN)))


def _asked(state: State, _: HandoverAsked, __: float, ___: Policy) -> Decision:
    return Decision(state=replace(state, role=Role.DRAINING))


def _handover_failed(state: State, _: HandoverFailed, __: float, ___: Policy) -> Decision:
    if state.episode is None:
        return Decision(state=replace(state, role=Role.POLLING))
    role = Role.BLOCKED if state.episode.kind in WEBHOOK_KINDS else Role.CONTENDED
    return Decision(state=replace(state, role=role))


def _time_passed(state: State, _: TimePassed, now: float, policy: Policy) -> Decision:
    for_good = policy.on_rival is OnRival.HOLD
    longer = episodes.LONGER_THAN_A_BACK_OFF if for_good else episodes.LONGER
    return episodes.once_quiet(state, now, longer=longer)


def _hand_on(state: State, _: Happening, __: float, ___: Policy) -> Decision:
    """A poll that was open when the state changed under it: the look before delivery judges it."""
    return Decision(state=state, actions=(HandOn(),))


def _wait(state: State, _: Happening, __: float, ___: Policy) -> Decision:
    return Decision(state=state, actions=(AwaitClaim(),))


def _stay(state: State, _: Happening, __: float, ___: Policy) -> Decision:
    return Decision(state=state)


_AWAIT = (AwaitClaim(),)
_HAND_ON = (HandOn(),)
_Rule = Callable[[State, Any, float, Policy], Decision]

_WITHOUT_CLAIM: dict[type, _Rule] = {
    Called: _called,
    ClaimTaken: _taken,
    ClaimDenied: _denied,
    ClaimLost: _lost,
    Answered: _hand_on,
    BrokeOff: _stay,
    Failed: _hand_on,
    ConflictMet: _wait,
    HandoverAsked: _stay,
    HandoverFailed: _stay,
    WebhookGone: _wait,
    WebhookSeen: _wait,
    RivalGone: _wait,
    RivalSeen: _wait,
    UpdatesTaken: _stay,
    Overslept: _stay,
    HeldOn: _stay,
    TimePassed: _stay,
}
_WITH_CLAIM: dict[type, _Rule] = {
    # The runner may give the claim back between a call's look and its asking for it.
    Called: _wait,
    ClaimTaken: _taken,
    ClaimDenied: _denied,
    ClaimLost: _lost,
    Answered: _answered,
    BrokeOff: _broke_off,
    Failed: _failed,
    ConflictMet: contention.conflict_met,
    HandoverAsked: _asked,
    HandoverFailed: _stay,
    WebhookGone: _stay,
    WebhookSeen: contention.webhook_seen,
    RivalGone: contention.rival_gone,
    RivalSeen: contention.rival_seen,
    UpdatesTaken: contention.updates_taken,
    Overslept: _overslept,
    HeldOn: _held_on,
    TimePassed: _time_passed,
}
_ROWS: dict[Role, dict[type, _Rule]] = {
    Role.STARTING: _WITHOUT_CLAIM,
    Role.STANDBY: _WITHOUT_CLAIM | {ConflictMet: contention.conflict_met},
    Role.STOPPED: _WITHOUT_CLAIM | {ClaimDenied: _stay},
    Role.POLLING: _WITH_CLAIM,
    Role.CONTENDED: _WITH_CLAIM,
    Role.BLOCKED: _WITH_CLAIM
    | {
        WebhookGone: contention.webhook_gone,
        WebhookSeen: _stay,
        RivalGone: _stay,
        RivalSeen: _stay,
        UpdatesTaken: _stay,
        HeldOn: _stay,
    },
    Role.DRAINING: _WITH_CLAIM
    | {
        Answered: _hand_on,
        Failed: _hand_on,
        ConflictMet: _wait,
        WebhookGone: _wait,
        WebhookSeen: _wait,
        RivalGone: _wait,
        RivalSeen: _wait,
        UpdatesTaken: _stay,
        Overslept: _stay,
        HeldOn: _stay,
        TimePassed: _stay,
        HandoverAsked: _stay,
        HandoverFailed: _handover_failed,
    },
}
TABLE: dict[tuple[Role, type], _Rule] = {
    (role, event): rule for role, row in _ROWS.items() for event, rule in row.items()
}
"""State x event: the rule for each pair that can happen."""
