"""One bot in one process: its state, its claim, what happens to it, and what is done about it.

What the framework calls is `call`; what the instance does with many guards is `instance`. Both meet here:
`apply` asks `decide` and performs its actions. A guard that holds its claim reads one snapshot (`grant`) and
never crosses over to the runner's thread; a call that must wait crosses once. The state is changed by the
caller and by the runner, one at a time; actions are performed outside the lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from onepoller.coordination import events, report, stall
from onepoller.coordination.answer import Answer
from onepoller.coordination.chronicle import Chronicle
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.decide import decide
from onepoller.coordination.drain import Drain
from onepoller.coordination.fence import Fence
from onepoller.coordination.grant import Claims, Grant
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.incumbency import Incumbency
from onepoller.coordination.looks import Looks
from onepoller.coordination.offsets import Offsets
from onepoller.coordination.presence import Presence
from onepoller.coordination.report import Role
from onepoller.coordination.settings import Settings
from onepoller.coordination.situation import (
    Action,
    AwaitClaim,
    ClaimDenied,
    ClaimLost,
    ClaimTaken,
    EndProcess,
    HandoverAsked,
    HandoverFailed,
    Happening,
    HeldOn,
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
    Watch,
)
from onepoller.coordination.stores.seam import Claim, Offset
from onepoller.coordination.webhook import Deletions
from onepoller.coordination.wire import Ended, Flight

_START = State()
_AWAIT, _WATCH, _POLL = AwaitClaim(), Watch(), PollAgain()


class Guard:
    """One bot in one process. Made by `Instance.guard`."""

    def __init__(
        self,
        bot_id: BotId,
        *,
        claims: Claims,
        settings: Settings,
        emit: Callable[[events.Event], None],
        clocks: Clocks,
        policy: Policy,
        lock: threading.Lock | None = None,
        deletions: Deletions | None = None,
    ) -> None:
        self.bot_id = bot_id
        self.claims = claims
        self.settings = settings
        self.policy = policy
        self.emit = emit
        self.clocks = clocks
        self.state = _START
        self.offsets = Offsets()
        self.drain = Drain(self.offsets)
        self.deletions = deletions or Deletions(clocks.monotonic)
        """Of webhooks that somebody else had set."""
        self.presence = Presence(settings)
        self.incumbency = Incumbency(clocks)
        self.chronicle = Chronicle(bot_id, claims=claims, settings=settings, emit=emit, clocks=clocks)
        self.looks = Looks(claims, chronicle=self.chronicle, clocks=clocks)
        self.grant: Grant | None = None
        """The claim that we hold, if we do."""
        self.flight: Flight | None = None
        """The poll that is on its way; made by the driver, who can end it."""
        self._changed: Answer[None] | None = None
        self.api_root = ""
        self.last_poll = 0.0
        """Wall clock of the last poll that was answered 200."""
        self.conflicts = 0
        self.next_watch = 0.0
        self.fence = Fence(claims, clocks=clocks, ahead=settings.end_ahead)
        self._waits_for_store = False
        self._lock = lock or threading.Lock()
        """Held for microseconds: one serves all guards of a process."""
        self.is_first_poll = False

    def __repr__(self) -> str:
        grant = f" term {self.grant.term}" if self.grant else ""
        return f"<Guard bot {self.bot_id} {self.state.role.label}{grant}>"

    # What a call asks

    def allowed(self, action: Action) -> Action:
        """What the state allows an open call to do now: it may have changed under it."""
        state = self.state
        if self.grant is None or state.role is Role.DRAINING:  # `is_leaving`
            return _AWAIT
        if state.role is Role.BLOCKED or state.yielding or state.look:
            return _WATCH
        return action if isinstance(action, PollAgain) else _POLL

    @property
    def changed(self) -> Answer[None]:
        """Done at the next change of role."""
        changed = self._changed  # the runner may take it away at any moment
        if changed is None:
            changed = self._changed = Answer()
        return changed

    def has_overslept(self, silence: float) -> bool:
        """Whether to look first: we have not been answered for so long, seconds, that somebody may poll."""
        if self.state.look:
            return False
        self.apply(Overslept(silence=silence))
        return bool(self.state.look)

    @property
    def is_leaving(self) -> bool:
        """Whether a poll that starts now must not: the claim is gone, or about to go."""
        return self.grant is None or self.state.role is Role.DRAINING

    # While the store is away

    @property
    def certainty(self) -> events.Certainty | None:
        """How sure our claim is; None where there is none."""
        certainty = self.claims.certainty
        is_known = self.grant is not None or (self._waits_for_store and certainty is events.Certainty.LOST)
        return certainty if is_known else None

    @property
    def holds_on(self) -> bool:
        """See `Fence.holds_on`."""
        return self.fence.holds_on(self.grant)

    def holds_without(self, grant: Grant) -> bool:
        """Whether this claim is ours though its store does not say so: we hold on, and nobody objects."""
        return self.grant is grant and self.fence.is_held_past(grant)

    @property
    def is_to_look(self) -> bool:
        """Whether we are about to poll past the deadline, and have not looked for a minute who else does."""
        if not self.fence.is_to_look(self.grant):
            return False
        self.apply(HeldOn())
        return bool(self.state.look)

    def looked(self, *, rival: bool) -> Action:
        """The look before a poll is over."""
        if rival and self.fence.is_held_past(self.grant):
            return self.end_hold()
        return self.apply(RivalSeen() if rival else RivalGone())

    def end_hold(self) -> Action:
        """Somebody polls beside us, and our store does not say who: it is a peer, until it answers."""
        self.emit(events.HoldEnded(bot_id=self.bot_id))
        self.claims.stand_by(self)
        return _AWAIT

    # Around a poll

    def outgoing(self, offset: int) -> int:
        """The offset to send: never behind what the former holder's framework had acknowledged."""
        return self.offsets.outgoing(offset, api_root=self.api_root, now=self.clocks.wall())

    def renew_after(self, now: float) -> float | None:
        """When a poll that starts now is to be ended and sent anew; None: not."""
        left = self.state.renew_at - now
        return left if left > 0 else None

    def tell_first_poll(self, grant: Grant, started: float) -> None:
        """The first poll of a term, which was sent then, has ended."""
        after = started - grant.decided_at
        self.emit(events.FirstPollEnded(bot_id=self.bot_id, seconds=after, cause=grant.cause))

    # What the instance tells and asks

    @property
    def is_worth_a_look(self) -> bool:
        """Whether the next sweep may find something that cannot wait for some seconds."""
        return not self.presence.has_open_call or self.state.episode is not None

    @property
    def looks_from_outside(self) -> bool:
        """Whether a rival or a webhook has the bot, and is watched."""
        return self.state.yielding or self.state.role is Role.BLOCKED

    @property
    def has_open_call(self) -> bool:
        """Whether a call of the framework is open."""
        return self.presence.has_open_call

    def sweep(self, now: float) -> bool:
        """Called about once a second. True: the poll loop is dead, the claim is to go."""
        flight = self.flight
        if flight is not None and self._is_late and not flight.minds_deadline:
            flight.interrupt(Ended.INTERRUPTED)  # whoever may have taken over polls beside it
        overdue = now - flight.started - flight.timeout - stall.OVERDUE if flight is not None else 0.0
        if flight is not None and overdue > 0:
            flight.interrupt(Ended.OVERDUE)
        if self.state.episode is not None:
            self.apply(TimePassed())
        if overdue > stall.UNENDED and self.grant is not None:
            # Nothing can end it, so the look before delivery will drop whatever it brings.
            self._tell_stalled(overdue + stall.OVERDUE)
            return True
        silence = self.presence.overstayed(now)
        if silence is None or self.state.role is Role.STOPPED:
            return False
        if silence.after is not stall.CallEnd.CANCELLED:
            self._tell_stalled(now - silence.since)
        return True

    @property
    def _is_late(self) -> bool:
        grant = self.grant
        return grant is not None and self.fence.is_near(grant) and not self.fence.holds_on(grant)

    def _tell_stalled(self, seconds: float) -> None:
        self.presence.is_stalled = True
        self.emit(events.Stalled(bot_id=self.bot_id, seconds=seconds))

    def granted(self, grant: Grant, claim: Claim, *, came_from: Identity | None) -> None:
        """The store gave us the claim."""
        self.offsets.start_term(claim.offset)
        self.grant = grant
        self._waits_for_store = False
        self.is_first_poll = True
        self.presence.was_answered = False
        if claim.episode is not None:
            self.chronicle.inherited(claim.episode)
        taken = ClaimTaken(
            term=grant.term,
            cause=grant.cause,
            clean=claim.clean,
            episode=claim.episode,
            tenure=self.incumbency.taken(claim),
            jitter=self.clocks.chance(),
        )
        self.apply(taken, cause=grant.cause, other=came_from)

    def denied(self, holder: Identity | None, since: float) -> None:
        """A living holder has it."""
        is_news = self.state.role is not Role.STANDBY or not self.settings.standby
        if is_news and self.state.role is not Role.STOPPED:
            self.apply(ClaimDenied(holder=holder), other=holder, since=since)

    def lost(self, cause: events.Cause, *, to: Identity | None = None, since: float = 0.0) -> None:
        """The claim is not ours any more; whatever is open ends, and waits like everybody else."""
        if self.grant is not None:
            parked = self.flight.timeout if self.flight else 0.0
            self._waits_for_store = cause is events.Cause.STORE
            self.incumbency.lost(self.state, deaf=cause is events.Cause.STALLED, parked=parked)
        self.grant = None
        if self.state.role not in (Role.STANDBY, Role.STOPPED) or cause is events.Cause.STOPPED:
            self.apply(ClaimLost(cause=cause), cause=cause, other=to, since=since)
        self._interrupt()
        self.drain.cut_short()

    def begin_drain(self) -> Future[None]:
        """Stop new polls and end the open one; the future is done when nothing is open or owed."""
        drained = self.drain.begin()
        self.apply(HandoverAsked())
        self._interrupt()
        self.drain.settle()
        return drained

    def end_drain(self) -> None:
        """The handover did not happen; go on."""
        self.drain.give_up()
        if self.grant is not None:
            self.apply(HandoverFailed())

    def _interrupt(self) -> None:
        flight = self.flight
        if flight is not None:
            flight.interrupt(Ended.INTERRUPTED)

    def report(self) -> bytes:
        """This bot's row of the session's report, for `status`."""
        state = self.state
        return report.row(
            self.bot_id,
            state.role,
            last_poll=self.last_poll,
            episodes=int(state.episode is not None),
            conflicts=self.conflicts,
        )

    def offset_to_hand_over(self) -> Offset | None:
        """What a successor may start from."""
        return self.offsets.to_hand_over(api_root=self.api_root, now=self.clocks.wall())

    # Decide, and do

    def apply(
        self,
        happened: Happening,
        *,
        cause: events.Cause | None = None,
        other: Identity | None = None,
        since: float = 0.0,
    ) -> Action:
        """Ask `decide`, perform what is to be done at once, and return what the open call does next."""
        with self._lock:
            before = self.state
            was = before.role
            decision = decide(self.state, happened, self.clocks.monotonic(), self.policy)
            self.state = decision.state
        flow: Action = _AWAIT
        end: EndProcess | None = None
        for action in decision.actions:
            match action:
                case TellEpisodeOpened() | TellEpisodeClosed() | TellStoodBy() | TellCameBack():
                    self.chronicle.tell(action, self.conflicts, stands_by=self.state.yielding)
                case PassClaim():
                    self.claims.pass_on(self)
                case EndProcess():
                    end = action
                case _:
                    flow = action
        if before.yielding is not self.state.yielding or before.look != self.state.look:
            self.looks.forget()
        was_doubted = before.established_at is not None and self.state.established_at is None
        if was_doubted and self.state.term is not None:
            self.claims.note_standing(self.bot_id)
        if was is not self.state.role:
            self._tell_role(was, cause, other, since)
        if end is not None:
            # Last, for it may not return: who polls has been told by now.
            self.claims.end_process(self.bot_id, end.reason)
        return flow

    def _tell_role(self, was: Role, cause: events.Cause | None, other: Identity | None, since: float) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)
        self.emit(
            events.RoleChanged(
                bot_id=self.bot_id,
                role=self.state.role,
                was=was,
                term=self.state.term,
                cause=cause,
                holder=other if self.state.role is Role.STANDBY else None,
                holder_since=since,
            )
        )
