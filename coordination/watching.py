"""The part of a getUpdates in which we do not poll but look from outside: steps, as in `call`.

Blocked by a webhook: getWebhookInfo until it is gone. Yielding to a rival: the watch of `rivals`. About to
poll where somebody else may: a few peeks first. Whatever ends it goes to the guard, and so to `decide`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from onepoller.coordination import polled
from onepoller.coordination.answer import Answer
from onepoller.coordination.events import Look, LookEnded
from onepoller.coordination.outcomes import outcome_of, outcome_of_error
from onepoller.coordination.report import Role
from onepoller.coordination.rivals import Sent, Verdict, WebhookShown
from onepoller.coordination.situation import (
    Action,
    AwaitClaim,
    Failed,
    HandOn,
    RivalGone,
    Watch,
    WebhookGone,
    WebhookSeen,
)
from onepoller.coordination.wire import (
    NOTHING,
    Ask,
    Await,
    Delivered,
    Ended,
    Outcome,
    Refused,
    Request,
    SendPoll,
    Step,
)

if TYPE_CHECKING:
    from onepoller.coordination.guard import Guard

Watched = Generator[Step, Any, tuple[Action, Outcome] | None]


def watch(
    guard: Guard, deadline: float, *, offset: int = 0, can_look: bool = True
) -> Generator[Step, Any, tuple[Action, Outcome]]:
    """Look until there is something to do, or the call's time is over: at least one step.

    `offset`: the call's. Who cannot look polls as if nothing stood in the way.
    """
    while isinstance(guard.allowed(Watch()), Watch):
        if not can_look:
            guard.incumbency.heard()
            is_blocked = guard.state.role is Role.BLOCKED
            return guard.apply(WebhookGone() if is_blocked else RivalGone()), NOTHING
        if not (yield from _is_ours(guard, deadline)):
            is_over = guard.clocks.monotonic() >= deadline
            return HandOn() if is_over else AwaitClaim(), NOTHING
        if guard.state.role is Role.BLOCKED:
            seen = yield from _webhook(guard, deadline)
        elif guard.state.yielding:
            seen = yield from _rival(guard, deadline)
        else:
            seen = yield from _peek(guard, deadline, offset)
        if seen is not None:
            return seen
        if guard.clocks.monotonic() >= deadline:
            return HandOn(), NOTHING
    return AwaitClaim(), NOTHING


def _webhook(guard: Guard, deadline: float) -> Watched:
    now = guard.clocks.monotonic()
    if now < guard.next_watch:
        yield from _until(guard, guard.next_watch, deadline)
        return None
    info = yield Ask(method="getWebhookInfo")
    pause = guard.settings.webhook_watch * guard.claims.crowd * (0.8 + 0.4 * guard.clocks.chance())
    guard.next_watch = guard.clocks.monotonic() + pause
    if info is not None and not info.get("url"):
        return guard.apply(WebhookGone()), NOTHING
    guard.chronicle.webhook_seen(info, guard.conflicts)
    return None


def _rival(guard: Guard, deadline: float) -> Watched:
    watch, started = guard.looks.rival, guard.clocks.monotonic()
    due = watch.next_probe
    found = yield from watch.look(
        _Outside(guard), deadline, seconds=guard.state.watch_for, crowd=guard.claims.crowd
    )
    if watch.next_probe != due and guard.state.episode is not None:
        guard.chronicle.probe_due(guard.state.episode, after=watch.next_probe - guard.clocks.monotonic())
    match found:
        case None:
            return None
        case Refused():
            return polled.refused(guard, found, guard.clocks.monotonic() - started), found
        case WebhookShown(info=info):
            seen = guard.apply(WebhookSeen()), NOTHING
            guard.chronicle.webhook_seen(info, guard.conflicts)
            return seen
        case _:
            guard.incumbency.heard()
            return guard.apply(RivalGone(unopposed=found is Verdict.UNOPPOSED)), NOTHING


class _Outside:
    """What a watch needs of its guard."""

    __slots__ = ("_guard", "chance", "monotonic")

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.monotonic = guard.clocks.monotonic
        self.chance = guard.clocks.chance

    @property
    def changed(self) -> Answer[None]:
        """The role of the bot, for instance because a peer is to have the claim."""
        return self._guard.changed

    def send(self, look: Look, request: Request) -> Sent:
        """Send it; what goes wrong is told, and nothing else: the framework notices nothing."""
        try:
            return (yield from _sent(self._guard, look, request))
        except Exception:  # noqa: BLE001  # as the docstring says
            return None


def _peek(guard: Guard, deadline: float, offset: int) -> Watched:
    """One peek before polling. What goes wrong with it is handed on, as with a poll.

    What the framework has acknowledged is not kept from Telegram meanwhile: the first peek carries it.
    """
    peeks, now = guard.looks.peeks, guard.clocks.monotonic()
    if now < peeks.due:
        yield from _until(guard, peeks.due, deadline)
        return None
    request = peeks.request(guard.clocks.chance())
    is_owed = guard.offsets.owes(offset)
    try:
        end = yield from _sent(guard, Look.PEEK, request._replace(offset=offset) if is_owed else request)
    except Exception:
        guard.apply(Failed(silence=guard.incumbency.absence))
        raise
    then = guard.clocks.monotonic()
    match end:
        case Delivered(update_ids=ids):
            guard.incumbency.heard()
            if is_owed:
                guard.offsets.accept(offset)
            verdict = peeks.saw(ids[0] if ids else 0, then, seconds=guard.state.look)
        case Refused():
            return polled.refused(guard, end, then - now), end
        case Ended.OVERDUE:
            guard.apply(Failed(silence=guard.incumbency.absence))
            raise TimeoutError(f"getUpdates of bot {guard.bot_id} did not come back in time")
        case _:
            return None
    if verdict is None:
        return None
    return guard.looked(rival=verdict is Verdict.SEEN), NOTHING


def _sent(guard: Guard, look: Look, request: Request) -> Sent:
    """Send it, and tell how it ended. Raises what the wire raises."""
    guard.incumbency.sending(request.timeout)
    try:
        end: Delivered | Refused | Ended = yield SendPoll(request=request)
    except Exception as error:
        guard.emit(LookEnded(bot_id=guard.bot_id, look=look, outcome=outcome_of_error(error)))
        raise
    guard.emit(LookEnded(bot_id=guard.bot_id, look=look, outcome=outcome_of(end)))
    return end


def _is_ours(guard: Guard, deadline: float) -> Generator[Step, Any, bool]:
    """Whether we may send: past the deadline only what is confirmed, or where we hold on."""
    grant = guard.grant
    if grant is None or guard.fence.is_fresh(grant):
        return grant is not None
    left = max(0.0, deadline - guard.clocks.monotonic())
    confirmed = yield Await(future=guard.claims.confirm(), seconds=min(guard.settings.lease, left))
    return bool(confirmed) and guard.grant is grant


def _until(guard: Guard, moment: float, deadline: float) -> Generator[Step, Any, None]:
    seconds = min(moment, deadline) - guard.clocks.monotonic()
    if seconds > 0:
        yield Await(future=guard.changed, seconds=seconds)
