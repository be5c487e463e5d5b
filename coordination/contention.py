"""Who yields, where a 409 or a look shows a rival or a webhook. Pure; `decide` asks it.

*hold*: poll again at once, and 1.5 s later end whatever poll is open then and send it anew: that puts the
rival, not us, on the server's 3 s hold. (Plain re-polling has two stable phases, and in the worse one we are
held; a poll in between that brought an update must not cancel the renewal.) From the third 409 in a row that
came in under half a second each is followed by a pause of 0.5 to 1.5 s: against a server that refuses the
newcomer this would be a storm.
*yield*: stop polling, keep the claim (our peers must not walk into the same fight), watch read-only.
*auto*: one of the two, by tenure (`tenure`). *exit*: end the process for its supervisor.
"""

from __future__ import annotations

from onepoller.coordination import episodes, tenure
from onepoller.coordination.conflict import GHOST_ANSWER, Kind
from onepoller.coordination.events import Why
from onepoller.coordination.record import replace
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import (
    Action,
    AwaitClaim,
    ConflictMet,
    Decision,
    EndProcess,
    Policy,
    PollAgain,
    RivalGone,
    RivalSeen,
    State,
    TellCameBack,
    TellStoodBy,
    UpdatesTaken,
    Watch,
    WebhookGone,
    WebhookSeen,
)

RENEW_AFTER = 1.5
QUICK = 0.5
"""A 409 in less than this came at once, seconds."""
QUICK_IN_A_ROW = 3


def conflict_met(state: State, met: ConflictMet, now: float, policy: Policy) -> Decision:
    """A poll of ours was answered 409; what kind that is is known."""
    match met.kind:
        case Kind.GHOST:
            # One that came late has kept us waiting: and our next poll tells a former holder to stop.
            after = 1.0 + 2.0 * met.jitter if met.elapsed <= GHOST_ANSWER else 0.0
            return Decision(state=state, actions=(PollAgain(after=after),))
        case Kind.PEER:
            told = episodes.signed(replace(state, role=Role.STANDBY, term=None), met.kind, now)
            closed = episodes.closed(told.state, "stood_by")
            return Decision(state=closed.state, actions=(*told.actions, *closed.actions, AwaitClaim()))
        case Kind.WEBHOOK_ACTIVE | Kind.WEBHOOK_SET:
            return _block(state, met.kind, now, conflicts=1)
        case Kind.RIVAL | Kind.UNKNOWN:
            return _contend(state, met, now, policy)


def updates_taken(state: State, taken: UpdatesTaken, now: float, policy: Policy) -> Decision:
    """A rival that causes no 409. The batch that showed it is handed on all the same."""
    told = episodes.signed(replace(state, role=Role.CONTENDED), Kind.RIVAL, now, conflicts=0)
    holding = _holding(told.state, taken.jitter, now, policy)
    if holding is not None:
        return Decision(state=holding, actions=told.actions)
    stood_by = _stood_by(told.state, now, policy)
    tells = tuple(action for action in stood_by.actions if not isinstance(action, Watch))
    return Decision(state=stood_by.state, actions=(*told.actions, *tells))


def rival_seen(state: State, _: RivalSeen, now: float, policy: Policy) -> Decision:
    """A look shows that somebody polls: leave the bot to it, whatever the policy."""
    told = episodes.signed(state, Kind.RIVAL, now, conflicts=0)
    stood_by = _stood_by(told.state, now, policy)
    return Decision(state=stood_by.state, actions=(*told.actions, *stood_by.actions))


def rival_gone(state: State, gone: RivalGone, now: float, _: Policy) -> Decision:
    """Poll; an open episode ends once it has been quiet for long enough."""
    if not state.yielding:
        return Decision(state=replace(state, look=0.0), actions=(PollAgain(),))
    state = tenure.came_back(state, now, unopposed=gone.unopposed)
    assert state.episode is not None
    told = TellCameBack(episode=state.episode)
    state = replace(state, episode=replace(state.episode, last=now))
    return Decision(state=state, actions=(told, PollAgain()))


def webhook_seen(state: State, _: WebhookSeen, now: float, __: Policy) -> Decision:
    """A look shows one; no poll has been refused for it."""
    return _block(state, Kind.WEBHOOK_ACTIVE, now, conflicts=0)


def webhook_gone(state: State, _: WebhookGone, __: float, ___: Policy) -> Decision:
    """Poll again."""
    closed = episodes.closed(replace(state, role=Role.POLLING), "webhook_gone")
    return Decision(state=closed.state, actions=(*closed.actions, PollAgain()))


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
