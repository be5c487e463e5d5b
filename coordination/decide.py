"""Who polls, and who yields: what one bot in one process does. Pure.

Two rules head this file: everything that changes a bot's state is here; nothing here knows which framework
or which store is in use. No await, clock, random number, log or I/O: time and jitter come in as arguments.

Which of several processes gets a claim is `succession`. A bot is *starting* until the store has answered;
then it is *polling* (we hold the claim) or in *standby* (somebody else does). A 409 is news, not an error: it
is classified first (`conflict.classify`), then

    ghost          poll again after 1 to 3 s; no episode
    peer           stand by at once
    rival          *contended*: the incumbent holds and the newcomer yields, or as the policy says
    webhook        *blocked*: watch read-only, delete nothing, resume when it is gone

*hold*: poll again at once, and 1.5 s later end whatever poll is open then and send it anew: that puts the
rival, not us, on the server's 3 s hold. (Plain re-polling has two stable phases, and in the worse one we are
held; a poll in between that brought an update must not cancel the renewal.) From the third 409 in a row that
came in under half a second each is followed by a pause of 0.5 to 1.5 s: against a server that refuses the
newcomer this would be a storm.
*yield*: stop polling, keep the claim (our peers must not walk into the same fight), watch read-only.
*auto*: one of the two, by tenure (`tenure`). *exit*: end the process for its supervisor.

An episode ends when it has been quiet for longer than the rival's own rhythm, never by one won poll.
*draining*: a handover is under way; no new poll starts. *stopped*: the user ended it. Every other state
leads back to polling without a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from onepoller.coordination import episodes, tenure
from onepoller.coordination.conflict import WEBHOOK_KINDS, Kind
from onepoller.coordination.events import Cause, Why
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
    PollAgain,
    RivalGone,
    RivalSeen,
    State,
    TellCameBack,
    TellEpisodeClosed,
    TellStoodBy,
    TimePassed,
    UpdatesTaken,
    Watch,
    WebhookGone,
    WebhookSeen,
)

RENEW_AFTER = 1.5
QUICK = 0.5
"""A 409 in less than this came at once, seconds."""
QUICK_IN_A_ROW = 3


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


def _conflict(state: State, met: ConflictMet, now: float, policy: Policy) -> Decision:
    match met.kind:
        case Kind.GHOST:
            return Decision(state=state, actions=(PollAgain(after=1.0 + 2.0 * met.jitter),))
        case Kind.PEER:
            told = episodes.signed(replace(state, role=Role.STANDBY, term=None), met.kind, now)
            closed = episodes.closed(told.state, "stood_by")
            return Decision(state=closed.state, actions=(*told.actions, *closed.actions, AwaitClaim()))
        case Kind.WEBHOOK_ACTIVE | Kind.WEBHOOK_SET:
            return _block(state, met.kind, now, conflicts=1)
        case Kind.RIVAL | Kind.UNKNOWN:
            return _contend(state, met, now, policy)


def _block(state: State, kind: Kind, now: float, *, conflicts: int) -> Decision:
    """A rival that had the bot is refused too; when the webhook is gone the trial begins anew."""
    told = episodes.signed(replace(state, role=Role.BLOCKED, yielding=False), kind, now, conflicts=conflicts)
    return Decision(state=told.state, actions=(*told.actions, Watch()))


def _contend(state: State, met: ConflictMet, now: float, policy: Policy) -> Decision:
    quick = state.quick_conflicts + 1 if met.elapsed < QUICK else 0
    state = tenure.answered(state, met.elapsed, now)
    told = episodes.signed(replace(state, role=Role.CONTENDED, quick_conflicts=quick), met.kind, now)
    holding = _holding(told.state, met.jitter, now, policy)
    if holding is None:
        stood_by = _stood_by(told.state, now, policy)
        return Decision(state=stood_by.state, actions=(*told.actions, *stood_by.actions))
    if quick >= QUICK_IN_A_ROW:
        # Nor is a poll renewed then: a server that refuses newcomers would refuse us for our own ghost.
        pause = PollAgain(after=0.5 + met.jitter)
        return Decision(state=replace(holding, renew_at=0.0), actions=(*told.actions, pause))
    state = replace(holding, renew_at=now + RENEW_AFTER)
    return Decision(state=state, actions=(*told.actions, PollAgain()))


def _holding(state: State, jitter: float, now: float, policy: Policy) -> State | None:
    """How we go on against a rival; None: the policy is to leave it the bot, for now."""
    match policy.on_rival:
        case OnRival.HOLD:
            return state
        case OnRival.AUTO:
            return tenure.insists(state, jitter, now)
        case OnRival.YIELD | OnRival.EXIT:
            return None


def _stood_by(state: State, now: float, policy: Policy) -> Decision:
    """Leave the bot to the rival: look from outside, inside the same call."""
    end: tuple[Action, ...] = ()
    if policy.on_rival is OnRival.EXIT:
        end = (EndProcess(reason="a foreign program polls this bot, and on_rival is 'exit'"),)
    assert state.episode is not None
    told = TellStoodBy(episode=state.episode, why=_why(state, policy))
    return Decision(
        state=replace(tenure.stood_by(state, now), role=Role.CONTENDED), actions=(told, Watch(), *end)
    )


def _why(state: State, policy: Policy) -> Why:
    if state.came_back:
        return Why.CAME_BACK
    if policy.on_rival is not OnRival.AUTO:
        return Why.TOLD
    if state.established_at is None:
        return Why.NEW
    if state.quick_conflicts >= tenure.REFUSED_AT_MOST:
        return Why.REFUSED
    return Why.SEEN if state.insist_until is None else Why.INSISTED


def _updates_taken(state: State, taken: UpdatesTaken, now: float, policy: Policy) -> Decision:
    """A rival that causes no 409. The batch that showed it is handed on all the same."""
    told = episodes.signed(replace(state, role=Role.CONTENDED), Kind.RIVAL, now, conflicts=0)
    holding = _holding(told.state, taken.jitter, now, policy)
    if holding is not None:
        return Decision(state=holding, actions=told.actions)
    stood_by = _stood_by(told.state, now, policy)
    tells = tuple(action for action in stood_by.actions if not isinstance(action, Watch))
    return Decision(state=stood_by.state, actions=(*told.actions, *tells))


def _rival_seen(state: State, _: RivalSeen, now: float, policy: Policy) -> Decision:
    told = episodes.signed(state, Kind.RIVAL, now, conflicts=0)
    stood_by = _stood_by(told.state, now, policy)
    return Decision(state=stood_by.state, actions=(*told.actions, *stood_by.actions))


def _overslept(state: State, slept: Overslept, _: float, policy: Policy) -> Decision:
    if policy.on_rival is not OnRival.AUTO or state.yielding:
        return Decision(state=state)
    return Decision(state=tenure.doubtful(state, slept.silence))


def _held_on(state: State, _: HeldOn, __: float, ___: Policy) -> Decision:
    """Look, whatever is done about rivals: this one would be a peer."""
    if state.yielding:
        return Decision(state=state)
    return Decision(state=replace(state, look=max(state.look, tenure.LOOK_AGAIN)))


def _webhook_seen(state: State, _: WebhookSeen, now: float, __: Policy) -> Decision:
    return _block(state, Kind.WEBHOOK_ACTIVE, now, conflicts=0)


def _webhook_gone(state: State, _: WebhookGone, __: float, ___: Policy) -> Decision:
    closed = episodes.closed(replace(state, role=Role.POLLING), "webhook_gone")
    return Decision(state=closed.state, actions=(*closed.actions, PollAgain()))


def _rival_gone(state: State, gone: RivalGone, now: float, _: Policy) -> Decision:
    """Poll; an open episode ends once it has been quiet for long enough."""
    if not state.yielding:
        return Decision(state=replace(state, look=0.0), actions=(PollAgain(),))
    state = tenure.came_back(state, now, unopposed=gone.unopposed)
    assert state.episode is not None
    told = TellCameBack(episode=state.episode)
    state = replace(state, episode=replace(state.episode, last=now))
    return Decision(state=state, actions=(told, PollAgain()))


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
    ConflictMet: _conflict,
    HandoverAsked: _asked,
    HandoverFailed: _stay,
    WebhookGone: _stay,
    WebhookSeen: _webhook_seen,
    RivalGone: _rival_gone,
    RivalSeen: _rival_seen,
    UpdatesTaken: _updates_taken,
    Overslept: _overslept,
    HeldOn: _held_on,
    TimePassed: _time_passed,
}
_ROWS: dict[Role, dict[type, _Rule]] = {
    Role.STARTING: _WITHOUT_CLAIM,
    Role.STANDBY: _WITHOUT_CLAIM | {ConflictMet: _conflict},
    Role.STOPPED: _WITHOUT_CLAIM | {ClaimDenied: _stay},
    Role.POLLING: _WITH_CLAIM,
    Role.CONTENDED: _WITH_CLAIM,
    Role.BLOCKED: _WITH_CLAIM
    | {
        WebhookGone: _webhook_gone,
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
