"""Mistakes, made on purpose: each is one function or constant of the product, replaced by a wrong one.

Data only; `planted` makes them one at a time and looks whether the checks notice. The product has no switch
for any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onepoller.coordination import (
    call,
    conflict,
    contention,
    decide,
    episodes,
    polled,
    queueing,
    rivals,
    stall,
    tenure,
    watching,
)
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import SessionId, Term
from onepoller.coordination.negotiation import Negotiation
from onepoller.coordination.offsets import Offsets
from onepoller.coordination.plan import Plan
from onepoller.coordination.releasing import Releasing
from onepoller.coordination.report import Role
from onepoller.coordination.rivals import Peeks, Verdict
from onepoller.coordination.situation import (
    ConflictMet,
    Decision,
    HandOn,
    Policy,
    RivalGone,
    State,
    Watch,
    WebhookGone,
)
from onepoller.coordination.stores.seam import Batch, Claim, Standing
from onepoller.coordination.wire import Ask, Delivered, Request, SendPoll, Step
from tests.simulation import processes
from tests.simulation.stores import Seat

PUBLISHED, REFUSED = "published", "newcomer_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake, and where it shows."""

    name: str
    owner: Any
    attribute: Any
    """Of an object its name; of a mapping its key."""
    wrong: Any
    scenario: str
    policy: str = "auto"
    model: str = PUBLISHED
    first_seed: int = 0


def _never_looks(guard: Guard, silence: float) -> bool:  # noqa: ARG001
    return False


def _never_yields(state: State, jitter: float, now: float) -> State:  # noqa: ARG001
    return state


def _gives_in_at_once(state: State, jitter: float, now: float) -> None:  # noqa: ARG001
    return None


def _insists_for_ever(state: State, jitter: float, now: float) -> State | None:  # noqa: ARG001
    return None if state.established_at is None else state


def _keeps_tenure(state: State, silence: float) -> State:  # noqa: ARG001
    return replace(state, look=max(state.look, tenure.LOOK_AGAIN))


_arrived, _stood_by, _came_back = tenure.arrived, tenure.stood_by, tenure.came_back


def _does_not_look(state: State, taken: Any, now: float) -> State:
    return replace(_arrived(state, taken, now), look=0.0)


def _watches_no_longer(state: State, now: float) -> State:
    return replace(_stood_by(state, now), watch_for=tenure.WATCH_FOR)


def _keeps_it_in_standby(state: State, now: float) -> State:
    return replace(_stood_by(state, now), established_at=state.established_at)


def _comes_back_established(state: State, now: float, *, unopposed: bool) -> State:  # noqa: ARG001
    return tenure.established(_came_back(state, now, unopposed=True), now - 600.0)


def _no_standing(*_: object, **__: object) -> Standing | None:
    return None


def _what_a_look_brings(guard: Guard, deadline: float) -> Generator[Step, Any, Any]:
    """As `watching._rival`, but a batch that comes is handed on."""
    look = guard.looks.rival.look(watching._Outside(guard), deadline, seconds=guard.state.watch_for)
    brought, answer = None, None
    while True:
        try:
            step = look.send(answer)
        except StopIteration as end:
            verdict = end.value
            break
        answer = yield step
        if isinstance(step, SendPoll) and isinstance(answer, Delivered) and answer.update_ids:
            brought = answer
    if brought is not None:
        return HandOn(), brought
    if verdict is None:
        return None
    guard.incumbency.heard()
    return guard.apply(RivalGone(unopposed=verdict is Verdict.UNOPPOSED)), None


def _same_peek(_: Peeks, chance: float) -> Request:  # noqa: ARG001
    return Request(offset=500, limit=1, timeout=0.0)


def _newest_peek(_: Peeks, chance: float) -> Request:  # noqa: ARG001
    return Request(offset=-1, limit=1, timeout=0.0)


def _two_peeks(self: Peeks, first: int, now: float, **_: float) -> Verdict | None:
    return _saw(self, first, now, seconds=rivals.PEEK_EVERY)


_saw = Peeks.saw


def _delivers_unseen(self: Any, ids: Sequence[int], grant: Any) -> Generator[Step, Any, bool]:  # noqa: ARG001
    polled.received(self._guard, ids)
    return True
    yield


def _clocks_by_the_wall(**given: Any) -> Clocks:
    return Clocks(**{**given, "monotonic": given["wall"]})


async def _drains_nothing(self: Releasing, bots: object) -> None:
    """The claim goes while polls and batches are under way."""


_changed = Negotiation.changed


async def _heeds_no_death(self: Negotiation, session: SessionId | None) -> None:
    if session is None or session == self.session.id:
        await _changed(self, session)


def _lock_lives_on(self: Seat) -> None:
    """A child that was forked without Python's hooks holds it."""
    self.is_gone = True


def _shows_it(state: State, met: ConflictMet, now: float, policy: Policy) -> Decision:  # noqa: ARG001
    return Decision(state=state, actions=(HandOn(),))


def _same_term(number: int) -> Term:
    return Term(number - 1)


def _no_limit(*_: object, **__: object) -> float:
    return 1e9


def _deletes_it(guard: Guard, deadline: float) -> Generator[Step, Any, Any]:
    yield Ask(method="deleteWebhook")
    return (yield from _webhook(guard, deadline))


_webhook = watching._webhook


def _as_asked(_: Offsets, offset: int, *, api_root: str, now: float) -> int:  # noqa: ARG001
    return offset


def _stays(state: State, *_: object) -> Decision:
    return Decision(state=state, actions=(Watch(),))


def _is_anybodys(claim: Claim, sessions: object) -> bool:  # noqa: ARG001
    return True


_answered = tenure.answered


def _forgives_at_once(state: State, elapsed: float, now: float) -> State:
    """One poll that succeeded, and the next look is a short one again."""
    answered = _answered(state, elapsed, now)
    return answered if answered.yielding else replace(answered, watch_for=tenure.WATCH_FOR)


def _grows_unparked(state: State, elapsed: float, now: float) -> State:
    """Time counts as trial, whether a call is open or not."""
    answered = _answered(state, elapsed, now)
    is_over = answered.established_at is None and now - answered.taken_at >= tenure.TRIAL
    return tenure.established(answered, now) if is_over and not answered.yielding else answered


def _wakes_nobody(self: Plan, *, own: SessionId) -> Batch:  # noqa: ARG001
    return Batch(swaps=self.swaps, wishes=self.wishes, withdrawn=self.withdrawn)


_Call: Callable[..., Any] = call._Call

MISTAKES = (
    Mistake(
        name="a newcomer never yields",
        owner=tenure,
        attribute="insists",
        wrong=_never_yields,
        scenario="two_without_store",
    ),
    Mistake(
        name="an incumbent yields to the first 409",
        owner=tenure,
        attribute="insists",
        wrong=_gives_in_at_once,
        scenario="two_without_store",
    ),
    Mistake(
        name="an incumbent insists for ever",
        owner=tenure,
        attribute="insists",
        wrong=_insists_for_ever,
        scenario="rival_fixed",
    ),
    Mistake(
        name="a host that is refused each time asks on",
        owner=tenure,
        attribute="REFUSED_AT_MOST",
        wrong=10**9,
        scenario="freezes_without_store",
        model=REFUSED,
        first_seed=11,
    ),
    Mistake(
        name="tenure survives a cut-off",
        owner=tenure,
        attribute="doubtful",
        wrong=_keeps_tenure,
        scenario="freezes_without_store",
        first_seed=11,
    ),
    Mistake(
        name="who has overslept does not look",
        owner=Guard,
        attribute="has_overslept",
        wrong=_never_looks,
        scenario="long_handler",
    ),
    Mistake(
        name="tenure grows in standby",
        owner=tenure,
        attribute="stood_by",
        wrong=_keeps_it_in_standby,
        scenario="slow_rival",
    ),
    Mistake(
        name="who comes back is on no trial",
        owner=tenure,
        attribute="came_back",
        wrong=_comes_back_established,
        scenario="slow_rival",
    ),
    Mistake(
        name="the watch is not doubled",
        owner=tenure,
        attribute="stood_by",
        wrong=_watches_no_longer,
        scenario="slow_rival",
    ),
    Mistake(
        name="a newcomer does not look",
        owner=tenure,
        attribute="arrived",
        wrong=_does_not_look,
        scenario="two_without_store",
    ),
    Mistake(
        name="a successor begins as a newcomer",
        owner=queueing,
        attribute="standing_to_take",
        wrong=_no_standing,
        scenario="one_store_handover_and_crash",
    ),
    Mistake(
        name="a probe delivers",
        owner=watching,
        attribute="_rival",
        wrong=_what_a_look_brings,
        scenario="rival_fixed",
    ),
    Mistake(
        name="a peek repeats its offset",
        owner=Peeks,
        attribute="request",
        wrong=_same_peek,
        scenario="slow_rival",
    ),
    Mistake(
        name="a peek asks for the newest",
        owner=Peeks,
        attribute="request",
        wrong=_newest_peek,
        scenario="rival_fixed",
    ),
    Mistake(
        name="a look ends after two peeks",
        owner=Peeks,
        attribute="saw",
        wrong=_two_peeks,
        scenario="slow_rival",
    ),
    Mistake(
        name="a probe every few seconds",
        owner=rivals,
        attribute="PROBE_BETWEEN",
        wrong=(4.0, 8.0),
        scenario="two_without_store",
    ),
    Mistake(
        name="a probe forgets its jitter",
        owner=rivals,
        attribute="PROBE_BETWEEN",
        wrong=(60.0, 60.0),
        scenario="freezes_without_store",
    ),
    Mistake(
        name="no pause after any 409",
        owner=contention,
        attribute="QUICK_IN_A_ROW",
        wrong=10**9,
        scenario="two_without_store",
        policy="hold",
        model=REFUSED,
    ),
    Mistake(
        name="a pause after the first quick 409",
        owner=contention,
        attribute="QUICK_IN_A_ROW",
        wrong=1,
        scenario="rival_ptb",
        policy="hold",
    ),
    Mistake(
        name="a poll is not renewed after a 409",
        owner=contention,
        attribute="RENEW_AFTER",
        wrong=1e9,
        scenario="rival_telebot",
        policy="hold",
    ),
    Mistake(
        name="one won poll forgives a come-back",
        owner=tenure,
        attribute="answered",
        wrong=_forgives_at_once,
        scenario="slower_rival",
        first_seed=43,
    ),
    Mistake(
        name="a trial that is passed forgives a come-back",
        owner=tenure,
        attribute="GONE_AFTER",
        wrong=10.0,
        scenario="slower_rival",
        first_seed=43,
    ),
    Mistake(
        name="tenure grows while nobody parks",
        owner=tenure,
        attribute="answered",
        wrong=_grows_unparked,
        scenario="slow_rival",
    ),
    Mistake(
        name="one won poll ends an episode",
        owner=episodes,
        attribute="QUIET_AT_MOST",
        wrong=0.0,
        scenario="rival_ptb",
        policy="hold",
    ),
    Mistake(
        name="the framework is shown a 409",
        owner=contention,
        attribute="_contend",
        wrong=_shows_it,
        scenario="rival_ptb",
        policy="hold",
    ),
    Mistake(
        name="a ghost is taken for a rival",
        owner=conflict,
        attribute="GHOST_WINDOW",
        wrong=-1.0,
        scenario="one_store_handover_and_crash",
        model=REFUSED,
    ),
    Mistake(
        name="delivery without a look at the claim",
        owner=_Call,
        attribute="_is_ours",
        wrong=_delivers_unseen,
        scenario="freezes_and_clocks",
    ),
    Mistake(
        name="a term is not raised",
        owner=queueing,
        attribute="Term",
        wrong=_same_term,
        scenario="one_store_handover_and_crash",
    ),
    Mistake(
        name="the wall clock for the monotonic one",
        owner=processes,
        attribute="Clocks",
        wrong=_clocks_by_the_wall,
        scenario="freezes_and_clocks",
        policy="hold",
    ),
    Mistake(
        name="a release before the poll has ended",
        owner=Releasing,
        attribute="_drain",
        wrong=_drains_nothing,
        scenario="backlog_start",
    ),
    Mistake(
        name="a death wakes nobody",
        owner=Negotiation,
        attribute="changed",
        wrong=_heeds_no_death,
        scenario="one_store_handover_and_crash",
        first_seed=8,
    ),
    Mistake(
        name="a release wakes nobody",
        owner=Plan,
        attribute="batch",
        wrong=_wakes_nobody,
        scenario="poll_loop_ends",
    ),
    Mistake(
        name="a forked child keeps the lock",
        owner=Seat,
        attribute="die",
        wrong=_lock_lives_on,
        scenario="one_store_handover_and_crash",
    ),
    Mistake(
        name="a dead poll loop keeps the claim",
        owner=stall,
        attribute="limit",
        wrong=_no_limit,
        scenario="poll_loop_ends",
    ),
    Mistake(
        name="a foreign webhook is deleted",
        owner=watching,
        attribute="_webhook",
        wrong=_deletes_it,
        scenario="webhook_tug",
    ),
    Mistake(
        name="blocked for good",
        owner=decide.TABLE,
        attribute=(Role.BLOCKED, WebhookGone),
        wrong=_stays,
        scenario="webhook_tug",
    ),
    Mistake(
        name="the predecessor's offset is not heeded",
        owner=Offsets,
        attribute="outgoing",
        wrong=_as_asked,
        scenario="backlog_start",
    ),
)
