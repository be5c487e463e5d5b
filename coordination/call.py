"""One getUpdates of the framework: it waits for the claim, polls, and looks before it delivers.

A generator of steps (`wire.Step`): send this poll, wait for that future. A driver performs them, in the
caller's event loop or thread (`driving`), so that one text serves both and the simulation. It contains no
rule: what happened goes to the guard, and so to `decide`; what comes back is done.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from onepoller.coordination import events, polled, stall, watching
from onepoller.coordination.decide import is_undisturbed
from onepoller.coordination.grant import Grant
from onepoller.coordination.offsets import ARRIVED
from onepoller.coordination.outcomes import is_timeout, outcome_of, outcome_of_error
from onepoller.coordination.report import Role
from onepoller.coordination.situation import (
    Action,
    Answered,
    AwaitClaim,
    BrokeOff,
    Called,
    Failed,
    HandOn,
    PollAgain,
    Watch,
)
from onepoller.coordination.tenure import OVERSLEPT
from onepoller.coordination.wire import (
    NOTHING,
    Await,
    Delivered,
    Ended,
    OnCancel,
    Outcome,
    Refused,
    Request,
    SendPoll,
    Step,
    SyncWire,
    Wire,
)

if TYPE_CHECKING:
    from onepoller.coordination.guard import Guard
    from onepoller.coordination.presence import Caller

CONFIRM_LIMIT = 2.0
"""So long the store may take to answer what a call asks on its way, seconds."""
LATE_ANSWER = 0.5
"""And so long where the call's own time is over."""
CLOSED_AFTER = 0.5
"""A poll that is being cancelled has closed its connection by then, seconds: `driving.SETTLE`, and more."""
FIRST_ANSWER = 1.0
"""A short poll waits so long for the claim, but for its first time in standby."""
OVERLAP = 1.0
"""A call that has waited so long for another one of this process is a second poller's."""
SHORTEST = 1.0
"""No poll is sent with less than this of its timeout left, seconds."""
Steps = Generator[Step, Any, Outcome]
_POLL, _HAND_ON = PollAgain(), HandOn()


def steps(guard: Guard, request: Request, wire: Wire | SyncWire, caller: Caller) -> Steps:
    """Serve one getUpdates. Lasts at most its own timeout; raises what the wire raises."""
    return _Call(guard, request, wire).serve(caller)


class _Call:
    """One call of the framework."""

    def __init__(self, guard: Guard, request: Request, wire: Wire | SyncWire) -> None:
        self._guard = guard
        self._request = request
        self._manners = wire.manners
        self._now = guard.clocks.monotonic
        self._came = self._now()
        self._deadline = self._came + request.timeout
        guard.api_root = wire.api_root

    def serve(self, caller: Caller) -> Steps:
        """Wait for our turn, serve, and leave; whatever happens."""
        guard, presence, now = self._guard, self._guard.presence, self._came
        guard.offsets.called(self._request.offset)
        if not self._request.timeout and presence.is_final(now):
            return (yield from self._final_confirm())
        while other := presence.enter(caller, now, is_owed=guard.offsets.unacknowledged):
            if self._left <= 0:
                return NOTHING
            yield Await(future=other.ended, seconds=min(self._left, other.seconds))
            now = self._now()
            if now - self._came >= OVERLAP:
                # A shorter wait is a call that ends, as when polling is stopped and started again.
                guard.emit(events.OwnOverlap(bot_id=guard.bot_id))
        if presence.called(caller, now, was_let_go=guard.state.role is Role.STOPPED):
            guard.emit(events.CallsResumed(bot_id=guard.bot_id))
        if guard.drain.drained is not None:
            guard.drain.settle()
        how, retry_after = stall.CallEnd.ERROR, 0.0
        try:
            outcome = yield from self._turn()
            how, retry_after = _call_end(outcome)
            return outcome
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            how = stall.CallEnd.CANCELLED
            presence.cancelling()
            yield from self._wind_down()
            raise
        finally:
            presence.leave(how=how, manners=self._manners, now=self._now(), retry_after=retry_after)
            if guard.drain.drained is not None:
                guard.drain.settle()

    def _turn(self) -> Steps:
        """Do what the state says until there is something to hand on, or the time is over."""
        action: Action = _POLL
        outcome: Outcome = NOTHING
        is_first = True
        while type(action) is not HandOn:
            match self._guard.allowed(action):
                case PollAgain(after=after):
                    if after:
                        yield Await(future=self._guard.changed, seconds=min(after, self._left))
                    if not is_first and self._left < SHORTEST:
                        return NOTHING
                    sent = self._request if is_first else self._with_what_is_left()
                    action, outcome = yield from self._poll(sent)
                    is_first = False
                case Watch():
                    # The 409 that led here is ours, not the framework's.
                    action, outcome = yield from watching.watch(
                        self._guard,
                        # A short poller is given an answer after a second, as in standby: many do not sleep.
                        self._deadline if self._request.timeout else self._now() + FIRST_ANSWER,
                        offset=self._request.offset,
                        can_look=self._manners.can_look,
                    )
                    if is_first and self._request.timeout:
                        self._request = self._with_what_is_left()
                case _:
                    if not (yield from self._await_claim()):
                        return NOTHING
                    action = _POLL
                    if is_first and self._request.timeout:
                        self._request = self._with_what_is_left()
        return outcome

    @property
    def _left(self) -> float:
        return self._deadline - self._now()

    def _with_what_is_left(self) -> Request:
        """The rest of the timeout in whole seconds, as the server takes them; half a second is rounded up."""
        left = float(max(math.ceil(self._left - 0.5), SHORTEST))
        if left >= self._request.timeout:
            return self._request
        return self._request._replace(timeout=left)

    def _first_answer(self) -> float:
        in_standby = self._guard.state.role is Role.STANDBY
        return self._guard.presence.first_answer(FIRST_ANSWER, in_standby=in_standby)

    def _await_claim(self) -> Generator[Step, Any, bool]:
        guard = self._guard
        seconds = self._left if self._request.timeout else self._first_answer()
        if guard.state.role is Role.STOPPED:
            guard.apply(Called())
        future = guard.claims.want(guard)
        try:
            granted = yield Await(future=future, seconds=seconds)
        except GeneratorExit:
            raise  # thrown away, perhaps in a forked child: there is nobody to tell
        except BaseException:
            guard.claims.unwant(guard)
            raise
        if not granted:
            guard.claims.unwant(guard)
        return bool(granted)

    # One poll

    def _poll(self, request: Request) -> Generator[Step, Any, tuple[Action, Outcome]]:
        guard = self._guard
        grant = guard.grant
        if grant is None:
            return AwaitClaim(), NOTHING
        if guard.fence.is_near(grant):
            if not (guard.holds_on or (yield from self._refreshed(grant))):
                return AwaitClaim(), NOTHING
            if guard.is_to_look:
                return Watch(), NOTHING
        silence = guard.incumbency.sending(request.timeout)
        if silence > OVERSLEPT and guard.has_overslept(silence):
            return Watch(), NOTHING
        guard.drain.is_polling = True
        try:
            if guard.is_leaving:  # said since we last looked: that drain may be done already
                return AwaitClaim(), NOTHING
            return (yield from self._send(request, grant))
        finally:
            guard.drain.is_polling = False
            if guard.drain.drained is not None:
                guard.drain.settle()

    def _send(self, request: Request, grant: Grant) -> Generator[Step, Any, tuple[Action, Outcome]]:
        guard = self._guard
        if guard.offsets.floor is not None and (offset := guard.outgoing(request.offset)) != request.offset:
            request = request._replace(offset=offset)
        started = self._now()
        is_first, guard.is_first_poll = guard.is_first_poll, False
        renew_after = guard.renew_after(started) if guard.state.renew_at else None
        try:
            end = yield SendPoll(request, renew_after)
        except Exception as error:
            elapsed = self._now() - started
            if is_first:
                guard.tell_first_poll(grant, started)
            if not is_timeout(error):
                self._broke_off(request, elapsed)
            self._tell(outcome_of_error(error), request, elapsed)
            guard.apply(Failed(silence=guard.incumbency.absence))
            raise
        except GeneratorExit:
            raise  # thrown away, perhaps in a forked child, where nothing is to be touched
        except BaseException:
            elapsed = self._now() - started
            self._broke_off(request, elapsed)
            if elapsed >= ARRIVED:
                guard.offsets.accept(request.offset)
            raise
        elapsed = self._now() - started
        if is_first:
            guard.tell_first_poll(grant, started)
        if isinstance(end, Delivered):
            return (yield from self._delivered(end, elapsed, request, grant))
        return (yield from self._brought_nothing(end, elapsed, request))

    def _delivered(
        self, end: Delivered, elapsed: float, request: Request, grant: Grant
    ) -> Generator[Step, Any, tuple[Action, Outcome]]:
        guard, ids = self._guard, end.update_ids
        guard.offsets.accept(request.offset)
        how = events.Outcome.UPDATES if ids else events.Outcome.EMPTY
        self._tell(how, request, elapsed, len(ids))
        guard.last_poll = guard.clocks.wall()
        guard.incumbency.answered()
        if ids and not (
            polled.is_new(guard, ids, sent=request.offset) and (yield from self._is_ours(ids, grant))
        ):
            return AwaitClaim(), NOTHING
        if is_undisturbed(guard.state):
            return _HAND_ON, end
        return guard.apply(Answered(elapsed=elapsed)), end

    def _brought_nothing(
        self, end: Refused | Ended, elapsed: float, request: Request
    ) -> Generator[Step, Any, tuple[Action, Outcome]]:
        guard = self._guard
        if _is_broken_off(end):
            self._broke_off(request, elapsed)
        if elapsed >= ARRIVED or isinstance(end, Refused):
            guard.offsets.accept(request.offset)
        self._tell(outcome_of(end), request, elapsed)
        match end:
            case Refused():
                came = self._now()
                if polled.is_to_ask(guard, end):
                    seconds = min(CONFIRM_LIMIT, max(self._left, LATE_ANSWER))
                    yield Await(future=guard.claims.confirm(), seconds=seconds)
                return polled.refused(guard, end, elapsed, ago=self._now() - came), end
            case Ended.OVERDUE:
                guard.apply(Failed(silence=guard.incumbency.absence))
                raise TimeoutError(f"getUpdates of bot {guard.bot_id} did not come back in time")
            case _:
                return PollAgain(), NOTHING

    def _broke_off(self, request: Request, elapsed: float) -> None:
        """An end that says nothing of other pollers says at least that the poll was parked until now."""
        guard = self._guard
        if guard.incumbency.broke_off(timeout=request.timeout):
            guard.apply(BrokeOff(elapsed=elapsed))

    def _tell(self, how: events.Outcome, request: Request, seconds: float, updates: int = 0) -> None:
        guard = self._guard
        guard.emit(
            events.PollEnded(
                bot_id=guard.bot_id,
                outcome=how,
                seconds=seconds,
                updates=updates,
                timeout=request.timeout,
            )
        )

    def _refreshed(self, grant: Grant) -> Generator[Step, Any, bool]:
        """Confirm the session, whose deadline has passed."""
        guard = self._guard
        confirmed = yield Await(future=guard.claims.confirm(), seconds=guard.settings.lease)
        return (bool(confirmed) or guard.holds_on) and guard.grant is grant

    def _is_ours(self, ids: Sequence[int], grant: Grant) -> Generator[Step, Any, bool]:
        """The look before delivery: a batch that is not ours any more is dropped."""
        guard = self._guard
        is_fresh = guard.fence.is_fresh(grant) or (yield from self._refreshed(grant))
        if is_fresh and (grant.session.has_claim(guard.bot_id, grant.term) or guard.holds_without(grant)):
            polled.received(guard, ids)
            return True
        guard.claims.suspect(guard.bot_id)
        polled.drop(guard, len(ids), events.Dropped.STALE_OWNER)
        return False

    # The way out

    def _final_confirm(self) -> Steps:
        """The last call of a framework that stops: it confirms, and takes nothing (facts: frameworks, 1)."""
        guard, offset = self._guard, self._request.offset
        # It would evict a poll that is open: one that is being cancelled ends first, another's says as much.
        if (ended := guard.presence.open_poll()) is not None:
            yield Await(future=ended, seconds=CLOSED_AFTER)
            if not ended.done():
                return NOTHING
        # Without the claim somebody else polls: a confirm could evict it, and is the holder's to send.
        if guard.grant is not None and offset > 0 and not guard.offsets.is_accepted(offset):
            yield from self._confirm(offset)
        return NOTHING

    def _wind_down(self) -> Generator[Step, Any, None]:
        """The call was cancelled: where that means "stopping", confirm and release at once."""
        if self._manners.on_cancel is not OnCancel.STOPPING:
            return
        try:
            yield from self._confirm_unless_awaited()
        except GeneratorExit:
            raise  # thrown away, perhaps in a forked child
        except BaseException:  # noqa: BLE001, S110  # the cancel is on its way: the caller must hear that
            pass
        self._guard.claims.let_go(self._guard, events.Cause.STOPPED)

    def _confirm_unless_awaited(self) -> Generator[Step, Any, None]:
        guard, offset = self._guard, self._request.offset
        if guard.grant is None or offset <= 0 or guard.offsets.is_accepted(offset):
            return
        awaited = yield Await(future=guard.claims.is_awaited(guard.bot_id), seconds=CONFIRM_LIMIT)
        if awaited is False and not guard.offsets.is_accepted(offset):
            yield from self._confirm(offset)

    def _confirm(self, offset: int) -> Generator[Step, Any, None]:
        self._guard.offsets.accept(offset)
        last = Request(offset=offset, limit=1, timeout=0.0)
        # A new offset is answered at once. One that Telegram knows, from the poll that was cancelled, holds
        # this call for 3 s: it has done all it can when it has arrived, and frameworks close the client.
        end = yield SendPoll(request=last, renew_after=ARRIVED, is_final=True)
        if isinstance(end, Delivered) and end.update_ids:
            polled.drop(self._guard, len(end.update_ids), events.Dropped.FINAL_CONFIRM)


def _is_broken_off(end: Refused | Ended) -> bool:
    """Whether it says nothing of other pollers: no 409 came."""
    return end.status != 409 if isinstance(end, Refused) else end is not Ended.OVERDUE


def _call_end(outcome: Outcome) -> tuple[stall.CallEnd, float]:
    match outcome:
        case Delivered(update_ids=ids) if ids:
            return stall.CallEnd.BATCH, 0.0
        case Refused(retry_after=retry_after):
            return stall.CallEnd.ERROR, retry_after
        case _:
            return stall.CallEnd.EMPTY, 0.0
