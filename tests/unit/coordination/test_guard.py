"""The guard, step by step: no loop, no thread, no clock but the one that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from onepoller.coordination import call, events, polled
from onepoller.coordination.call import Steps
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause
from onepoller.coordination.identity import Term
from onepoller.coordination.incumbency import Incumbency
from onepoller.coordination.presence import caller_of
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import RivalGone, State
from onepoller.coordination.stores.seam import Claim, Episode, Offset, Standing
from onepoller.coordination.wire import NOTHING, Ask, Await, Ended, Refused, Request, SendPoll
from tests.unit.coordination.bench import (
    BOT,
    EMPTY,
    PTB,
    RIVAL,
    Bench,
    Flight,
    Task,
    W,
    batch,
    cancel,
    result,
)


def test_a_holder_polls_at_once_with_the_callers_own_parameters() -> None:
    """The hot path: no waiting, nothing changed."""
    bench = Bench()
    bench.grant()
    steps = bench.call(offset=7)

    assert next(steps) == SendPoll(request=Request(offset=7, timeout=10.0))
    assert result(steps, EMPTY) is EMPTY
    assert bench.claims.said == []


def test_a_drain_that_begins_as_a_poll_is_about_to_be_sent_is_not_polled_beside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It found no poll open, so the successor polls already."""
    bench = Bench()
    bench.grant()

    def begins(*_: object) -> float:
        assert bench.guard.begin_drain().done()
        return 0.0

    monkeypatch.setattr(Incumbency, "sending", begins)

    assert isinstance(next(bench.call()), Await)


def test_without_the_claim_a_call_waits_and_returns_nothing_at_its_timeout() -> None:
    """Standby looks like a quiet bot."""
    bench = Bench()
    steps = bench.call()
    step = next(steps)

    assert isinstance(step, Await)
    assert step.seconds == 10.0
    bench.later(10)
    assert result(steps, None) is NOTHING
    assert bench.claims.said == [("want",), ("unwant",)]


def test_a_call_that_is_cancelled_while_it_waits_waits_no_more() -> None:
    """The claim is taken only into a waiting call."""
    bench = Bench()
    steps = bench.call()
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())

    assert bench.claims.said == [("want",), ("unwant",)]


def test_a_grant_in_the_middle_polls_with_what_is_left() -> None:
    """A call lasts at most the caller's own timeout."""
    bench = Bench()
    steps = bench.call(timeout=10.0)
    next(steps)
    bench.later(6.5)
    bench.grant()

    step = steps.send(True)

    assert step == SendPoll(request=Request(timeout=3.0))


def test_a_grant_at_the_very_end_polls_for_a_second() -> None:
    """The rest of a timeout is at least 1 s."""
    bench = Bench()
    steps = bench.call(timeout=10.0)
    next(steps)
    bench.later(9.9)
    bench.grant()

    assert steps.send(True) == SendPoll(request=Request(timeout=1.0))


def test_a_second_call_waits_for_the_first_and_never_reaches_telegram() -> None:
    """Our own overlap is serialised."""
    bench = Bench()
    bench.grant()
    first, second = bench.call(), bench.call()
    next(first)
    step = next(second)

    assert isinstance(step, Await)
    assert not step.future.done()
    bench.later(3)
    assert result(first, EMPTY) is EMPTY
    assert step.future.done()
    assert isinstance(second.send(None), SendPoll)
    assert bench.of(events.OwnOverlap) == [events.OwnOverlap(bot_id=BOT)]


def test_who_was_given_a_batch_calls_before_another_caller_of_its_process() -> None:
    """That one would be given the same batch: it is not acknowledged yet."""
    bench = Bench()
    bench.grant()
    first, second = bench.call(), bench.call(other=Task())
    next(first)
    next(second)
    result(first, batch(5))
    waits = second.send(None)
    assert isinstance(waits, Await)
    assert not waits.future.done()

    third = bench.call(offset=6)
    assert isinstance(next(third), SendPoll)
    assert result(third, EMPTY) is EMPTY
    assert waits.future.done()
    assert isinstance(second.send(None), SendPoll)


def test_another_caller_does_not_wait_for_one_that_has_ended() -> None:
    """Nobody else would ever acknowledge it."""
    bench = Bench()
    bench.grant()
    first, second = bench.call(), bench.call(other=Task())
    next(first)
    next(second)
    result(first, batch(5))
    bench.task.ended = True

    assert isinstance(second.send(None), SendPoll)


def test_another_caller_waits_for_an_acknowledgement_for_three_seconds() -> None:
    """A handler that hangs must not make the other one deaf."""
    bench = Bench()
    bench.grant()
    first, second = bench.call(), bench.call(other=Task())
    next(first)
    next(second)
    result(first, batch(5))
    waits = second.send(None)
    assert isinstance(waits, Await)
    assert waits.seconds == 3.0
    bench.later(3)

    assert isinstance(second.send(None), SendPoll)


def test_whoever_acknowledges_the_batch_need_not_wait() -> None:
    """A loop that calls from a pool of threads comes with another one each time."""
    bench = Bench()
    bench.grant()
    first = bench.call()
    next(first)
    result(first, batch(5))

    assert isinstance(next(bench.call(offset=6, other=Task())), SendPoll)


def test_a_batch_whose_claim_was_lost_meanwhile_is_dropped() -> None:
    """The framework never sees it; Telegram keeps it; the call goes on waiting."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    bench.session.is_ours = False

    step = steps.send(batch(5, 6))

    assert isinstance(step, Await)
    assert ("suspect", BOT) in bench.claims.said
    assert bench.of(events.UpdatesDropped) == [
        events.UpdatesDropped(bot_id=BOT, count=2, reason=events.Dropped.STALE_OWNER)
    ]


def test_after_its_deadline_a_session_is_confirmed_before_delivery() -> None:
    """A process that was frozen delivers nothing until it has beaten again."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    bench.session.deadline = bench.now - 1

    step = steps.send(batch(5))

    assert isinstance(step, Await)
    assert bench.claims.said == [("confirm",)]
    assert result(steps, True) == batch(5)


def test_a_session_that_is_over_delivers_nothing() -> None:
    """The confirmation failed."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    bench.session.deadline = bench.now - 1
    steps.send(batch(5))

    assert isinstance(steps.send(False), Await)
    assert bench.of(events.UpdatesDropped)


def test_hold_polls_again_inside_the_same_call_and_renews() -> None:
    """The framework sees neither the 409 nor the renewal."""
    bench = Bench()
    bench.grant()
    steps = bench.call(timeout=30.0)
    next(steps)
    bench.later(4)

    again = steps.send(RIVAL)
    bench.later(1.5)
    anew = steps.send(Ended.RENEWED)

    assert again == SendPoll(request=Request(timeout=26.0), renew_after=1.5)
    assert anew == SendPoll(request=Request(timeout=24.0))
    assert [e.kind for e in bench.of(events.EpisodeOpened)] == [Kind.RIVAL]
    assert bench.guard.state.role is Role.CONTENDED


def test_a_batch_in_between_does_not_cancel_the_renewal() -> None:
    """Else the rival keeps the better phase, and most of the messages."""
    bench = Bench()
    bench.grant()
    steps = bench.call(timeout=30.0)
    next(steps)
    steps.send(RIVAL)
    bench.later(0.5)
    result(steps, batch(5))

    assert next(bench.call(offset=6)) == SendPoll(request=Request(offset=6, timeout=10.0), renew_after=1.0)


@pytest.mark.parametrize(
    ("is_ours", "kind"), [(True, Kind.RIVAL), (False, Kind.PEER)], ids=["still_ours", "ended_by_force"]
)
def test_before_a_409_is_called_a_rivals_a_server_is_asked_whether_we_still_hold(
    kind: Kind, *, is_ours: bool
) -> None:
    """Who ended our session by force may poll before we hear of it: two of ours would yield to each other."""
    bench = Bench(on_rival=OnRival.YIELD)
    bench.session.fence_wait = 10.0
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)
    bench.later(3)

    asked = steps.send(RIVAL)
    assert bench.claims.said[-1:] == [("confirm",)]
    assert asked == Await(future=bench.claims.futures[-1], seconds=call.CONFIRM_LIMIT)
    bench.later(0.5)
    bench.session.is_ours = is_ours
    step = steps.send(is_ours)

    assert is_ours or step == Await(future=bench.claims.futures[-1], seconds=46.5), "it polls no more"
    assert is_ours or bench.claims.said[-1:] == [("want",)]
    assert bench.of(events.ConflictSeen) == [events.ConflictSeen(bot_id=BOT, kind=kind, seconds=3.0)]
    assert bench.guard.state.yielding is is_ours


@pytest.mark.parametrize(
    ("left", "seconds"), [(47.0, call.CONFIRM_LIMIT), (1.0, 1.0), (-1.0, call.LATE_ANSWER)]
)
def test_a_server_is_asked_within_the_calls_own_time(left: float, seconds: float) -> None:
    """Or for half a second, where that is over."""
    bench = taken_over()
    steps = bench.call(timeout=50.0)
    next(steps)
    bench.later(50.0 - left)

    asked = steps.send(RIVAL)
    assert isinstance(asked, Await)
    assert asked.seconds == seconds


def test_for_a_webhook_no_server_is_asked() -> None:
    """The text says who it was."""
    bench = taken_over()
    steps = bench.call(timeout=50.0)
    next(steps)

    assert steps.send(Refused(status=409, text=W, reply="")) == Ask(method="getWebhookInfo")


def test_in_a_fight_that_goes_on_no_server_is_asked() -> None:
    """A holder polls again at once, and a server has better things to do."""
    bench = Bench()
    bench.session.fence_wait = 10.0
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)
    steps.send(RIVAL)
    steps.send(True)
    bench.later(2.0)

    assert isinstance(steps.send(RIVAL), SendPoll)
    assert bench.claims.said.count(("confirm",)) == 1


def taken_over(cause: Cause = Cause.DIED, episode: Episode | None = None) -> Bench:
    """Make a guard that has just taken a bot over, on a server with a lease of 10 s."""
    bench = Bench()
    bench.session.fence_wait = 10.0
    claim = Claim(bot_id=BOT, term=Term(2), clean=cause is not Cause.DIED, episode=episode)
    bench.grant(term=2, claim=claim, cause=cause)
    return bench


@pytest.mark.parametrize(
    ("bench", "sent_after", "parked", "kind"),
    [
        (taken_over, 9.9, 3.0, Kind.GHOST),
        (taken_over, 10.1, 3.0, Kind.RIVAL),
        (taken_over, 1.0, 30.0, Kind.RIVAL),
        (lambda: taken_over(Cause.FREE), 1.0, 3.0, Kind.RIVAL),
        (lambda: taken_over(Cause.HANDED_OVER), 1.0, 3.0, Kind.RIVAL),
        (lambda: taken_over(episode=Episode(kind=Kind.RIVAL, since=9.0)), 1.0, 3.0, Kind.RIVAL),
    ],
    ids=["within_a_lease", "sent_later", "ended_later", "after_nobody", "after_a_handover", "in_a_fight"],
)
def test_for_a_lease_a_409_is_rather_the_former_holders_who_has_not_heard_that_it_is_over(
    bench: Callable[[], Bench], sent_after: float, parked: float, kind: Kind
) -> None:
    """It is ours, and will stop; left the bot, it would leave it to nobody. It is told up to 3 s late."""
    heir = bench()
    heir.later(sent_after)
    steps = heir.call(timeout=50.0)
    next(steps)
    heir.later(parked)
    if isinstance(steps.send(RIVAL), Await) and heir.claims.said[-1] == ("confirm",):
        heir.later(1.0)  # while the store answers the poll grows no older
        steps.send(True)

    assert [e.kind for e in heir.of(events.ConflictSeen)] == [kind]


@pytest.mark.parametrize(("cause", "kinds"), [(Cause.DIED, []), (Cause.HANDED_OVER, [Kind.RIVAL])])
def test_for_a_lease_what_is_missing_was_rather_the_former_holders(cause: Cause, kinds: list[Kind]) -> None:
    """The same where it took a batch between two polls of ours, and caused no 409."""
    bench = taken_over(cause)
    for ids, parked in ((5, 6), 0.0), ((9,), 12.0):
        steps = bench.call(offset=ids[0], timeout=50.0)
        next(steps)
        bench.later(parked)
        result(steps, batch(*ids))
        bench.later(2.0)

    assert [e.missed for e in bench.of(events.UpdateGap)] == [2]
    assert [e.kind for e in bench.of(events.EpisodeOpened)] == kinds


def test_a_webhook_is_watched_read_only_and_polling_resumes() -> None:
    """Nothing is deleted; the host is named."""
    bench = Bench(webhook_watch=5.0)
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)

    assert steps.send(Refused(status=409, text=W, reply="")) == Ask(method="getWebhookInfo")
    step = steps.send({"url": "https://bots.example/secret"})
    assert isinstance(step, Await)
    assert step.seconds == 5.0
    bench.later(5)
    assert steps.send(None) == Ask(method="getWebhookInfo")
    assert isinstance(steps.send({"url": ""}), SendPoll)
    assert [e.detail for e in bench.of(events.EpisodeOpened)] == ["bots.example"]
    assert [e.resolution for e in bench.of(events.EpisodeClosed)] == ["webhook_gone"]


def test_yield_asks_instead_of_polling() -> None:
    """The rival has the bot; we look from outside."""
    bench = Bench(on_rival=OnRival.YIELD)
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)

    step = steps.send(RIVAL)
    assert isinstance(step, Await)
    bench.later(3)
    assert steps.send(None) == Ask(method="getWebhookInfo")


def test_yield_resumes_when_nobody_takes_what_waits() -> None:
    """The same first update for 8 s: the rival is gone. Its episode ends later, once it has been quiet."""
    bench = Bench(on_rival=OnRival.YIELD)
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)
    step = steps.send(RIVAL)
    peeks = 0
    while not (isinstance(step, SendPoll) and step.request.timeout > 1):
        match step:
            case Await(seconds=seconds):
                bench.later(seconds)
                step = steps.send(None)
            case Ask():
                step = steps.send({"url": "", "pending_update_count": 1})
            case SendPoll(request=request):
                peeks += 1
                assert (request.limit, request.timeout) == (1, 0.0)
                assert 2 <= request.offset <= 999
                step = steps.send(batch(7))

    assert (bench.guard.state.role, bench.guard.state.yielding) == (Role.CONTENDED, False)
    assert peeks == 5
    assert bench.now < 100 + 15


def test_a_final_confirm_of_an_accepted_offset_is_answered_here() -> None:
    """Sent again within 3 s it would become a 3 s poll that evicts whoever is parked."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call(offset=7)
    next(steps)
    result(steps, EMPTY)
    steps = bench.call(offset=7)
    next(steps)
    cancel(steps)

    final = bench.call(offset=7, timeout=0)
    with pytest.raises(StopIteration) as done:
        next(final)

    assert done.value.value is NOTHING


def test_a_final_confirm_of_a_new_offset_is_sent_once_and_takes_nothing() -> None:
    """A new offset is answered at once; its updates are dropped, Telegram keeps them."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call(offset=7)
    next(steps)
    result(steps, batch(7, 8))
    steps = bench.call(offset=9)
    next(steps)
    leaving = steps.throw(KeyboardInterrupt())
    assert isinstance(leaving, Await)

    final = bench.call(offset=9, timeout=0)
    sent = next(final)

    last = Request(offset=9, limit=1, timeout=0.0)
    assert sent == SendPoll(request=last, renew_after=1.0, is_final=True)
    assert result(final, batch(9)) is NOTHING
    assert bench.of(events.UpdatesDropped)[0].reason is events.Dropped.FINAL_CONFIRM
    with pytest.raises(KeyboardInterrupt):
        steps.send(False)
    assert ("let_go", Cause.STOPPED) in bench.claims.said


def final_beside_an_open_poll() -> tuple[Steps, Steps]:
    """Two pollers of one process end within a second: the second one's poll is open as its confirm comes."""
    bench = Bench()
    bench.grant()
    first = bench.call(offset=9)
    next(first)
    cancel(first)
    second = bench.call(offset=9)
    next(second)
    return second, bench.call(offset=9, timeout=0)


def test_a_final_confirm_lets_the_poll_end_that_is_being_cancelled() -> None:
    """It closes its connection first: at the server the confirm would evict it."""
    second, final = final_beside_an_open_poll()
    waits = next(final)
    assert isinstance(waits, Await)
    assert (waits.future.done(), waits.seconds) == (False, 0.5)
    cancel(second)
    assert waits.future.done()
    last = Request(offset=9, limit=1, timeout=0.0)
    assert final.send(None) == SendPoll(request=last, renew_after=1.0, is_final=True)


def test_a_final_confirm_beside_anothers_poll_is_answered_here() -> None:
    """Another poller of this process goes on: its next poll says as much."""
    _, final = final_beside_an_open_poll()
    assert isinstance(next(final), Await)
    assert result(final, None) is NOTHING


def test_a_cancelled_call_of_a_framework_that_stops_releases_at_once() -> None:
    """PTB, aiogram: cancelling means stopping."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call()
    next(steps)

    cancel(steps)

    assert bench.claims.said == [("let_go", Cause.STOPPED)]
    assert bench.guard.state.role is Role.STOPPED


def test_a_cancelled_call_of_a_plain_loop_keeps_the_claim_for_a_second() -> None:
    """It may call again in a moment."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    cancel(steps)

    assert not bench.guard.sweep(bench.now + 0.9)
    assert bench.guard.sweep(bench.now + 1.0)
    assert bench.claims.said == []


def test_a_dead_poll_loop_is_told_once_and_loses_the_claim() -> None:
    """No poll, no claim."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call()
    next(steps)
    result(steps, EMPTY)

    assert not bench.guard.sweep(bench.now + 19.9)
    assert bench.guard.sweep(bench.now + 20.0)
    assert not bench.guard.sweep(bench.now + 21.0)
    assert len(bench.of(events.Stalled)) == 1


def test_a_slow_handler_keeps_the_claim() -> None:
    """It handles before it polls again, and its task lives."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    result(steps, batch(5))

    assert not bench.guard.sweep(bench.now + 600)


def test_a_caller_that_makes_a_task_for_each_call_is_not_taken_for_dead() -> None:
    """On Python 3.11 `asyncio.wait_for(client.post(...))` does: the end of such a task says nothing."""
    bench = Bench()
    bench.grant()
    for _ in range(2):
        steps = bench.call(ended=True)
        next(steps)
        result(steps, batch(5))

    assert not bench.guard.sweep(bench.now + 600)


@pytest.mark.parametrize("stop", ["a cancelled call", "the claim let go", "a stall"])
def test_polling_that_is_stopped_and_started_again_is_no_task_for_each_call(stop: str) -> None:
    """The new task says nothing of the old one, which was meant to end: a dead one is still found in 1 s."""
    bench = Bench()
    bench.grant()
    steps = bench.call(ended=True)
    next(steps)
    if stop == "a cancelled call":
        cancel(steps)
    else:
        result(steps, batch(5))
    if stop != "the claim let go":
        bench.later(1)
        assert bench.guard.sweep(bench.now)
    bench.guard.lost(Cause.STOPPED if stop == "the claim let go" else Cause.STALLED)
    steps = bench.call(ended=True)
    next(steps)
    bench.grant(term=2)
    steps.send(True)
    result(steps, batch(6))

    assert bench.guard.sweep(bench.now + 1.0)


def test_a_caller_whose_task_has_ended_loses_the_claim_after_a_second() -> None:
    """It handled a batch, and died of it."""
    bench = Bench()
    bench.grant()
    steps = bench.call(ended=True)
    next(steps)
    result(steps, batch(5))

    assert not bench.guard.sweep(bench.now + 0.9)
    assert bench.guard.sweep(bench.now + 1.0)


def test_an_error_is_handed_on_and_counted() -> None:
    """Only a 409 is ours."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    refused = Refused(status=502, text="Bad Gateway", reply="502")

    assert result(steps, refused) is refused
    assert [e.outcome for e in bench.of(events.PollEnded)] == [events.Outcome.SERVER_ERROR]


def test_an_exception_passes_through_unchanged() -> None:
    """The framework knows what to do with its own."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    error = ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError) as raised:
        steps.throw(error)

    assert raised.value is error


def test_a_timeout_is_known_by_its_cause_too() -> None:
    """What aiogram raises, TelegramNetworkError, says it by that alone."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    error = ConnectionError("Request timeout error")
    error.__cause__ = TimeoutError()

    with pytest.raises(ConnectionError):
        steps.throw(error)

    assert [e.outcome for e in bench.of(events.PollEnded)] == [events.Outcome.TIMEOUT]


def test_a_refused_token_is_told_and_passed_on() -> None:
    """PTB's polling task dies of it without a word."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call()
    next(steps)
    result(steps, Refused(status=401, text="Unauthorized", reply=""))

    assert bench.of(events.TokenRefused) == [events.TokenRefused(bot_id=BOT)]
    assert ("pass_on",) in bench.claims.said


def test_a_drain_waits_for_the_offset_of_a_batch_that_the_framework_holds() -> None:
    """Handing over loses nothing and repeats nothing."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call(offset=5)
    next(steps)
    result(steps, batch(5, 6))
    drained = bench.guard.begin_drain()
    assert not drained.done()

    waiting = bench.call(offset=7)
    step = next(waiting)

    assert isinstance(step, Await)
    assert drained.done()
    assert bench.guard.offset_to_hand_over() == Offset(value=7, api_root="http://api", at=bench.now)


def test_a_drain_ends_the_open_poll() -> None:
    """Its connection closes; the ghost confirms nothing."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    flight = Flight(bench)
    drained = bench.guard.begin_drain()

    assert flight.ended == [Ended.INTERRUPTED]
    assert not drained.done()
    assert isinstance(steps.send(Ended.INTERRUPTED), Await)
    assert drained.done()


def test_a_batch_that_lands_while_draining_is_waited_for() -> None:
    """Between its arrival and its hand-over nothing is drained: the successor would get it again."""
    bench = Bench(PTB)
    bench.grant()
    steps = bench.call(offset=5)
    next(steps)
    drained = bench.guard.begin_drain()
    bench.guard.flight = None  # the driver: the answer is here

    bench.guard.drain.settle()
    assert not drained.done()
    result(steps, batch(5))
    assert not drained.done()
    next(bench.call(offset=6))

    assert drained.done()


def test_a_request_that_need_not_be_changed_is_sent_as_it_came() -> None:
    """Adapters send what the framework made, unless its offset is behind the former holder's."""
    bench = Bench()
    former = Offset(value=50, api_root="http://api", at=bench.now)
    bench.grant(term=2, claim=Claim(bot_id=BOT, term=Term(2), offset=former))
    asked = Request(offset=60, timeout=10.0)

    sent = next(call.steps(bench.guard, asked, bench.wire, caller_of(bench.task)))

    assert isinstance(sent, SendPoll)
    assert sent.request is asked


def test_a_successor_starts_from_the_stored_offset() -> None:
    """A framework that starts at 0 gets nothing twice."""
    bench = Bench()
    bench.grant(
        claim=Claim(bot_id=BOT, term=Term(2), offset=Offset(value=50, api_root="http://api", at=bench.now))
    )
    steps = bench.call(offset=0)

    assert next(steps) == SendPoll(request=Request(offset=50, timeout=10.0))


def test_a_short_poll_in_standby_is_answered_at_once_the_first_time_then_after_a_second() -> None:
    """No framework sleeps between successful polls."""
    bench = Bench()
    waits = []
    for _ in range(3):
        steps = bench.call(timeout=0.0)
        step = next(steps)
        assert isinstance(step, Await)
        waits.append(step.seconds)
        bench.guard.denied(None, 0.0)
        result(steps, None)

    assert waits == [1.0, 0.0, 1.0]


def test_an_overdue_call_is_ended_and_counts_as_an_error() -> None:
    """An open call may last its timeout and 20 s."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)

    with pytest.raises(TimeoutError, match="bot 42 did not come back in time"):
        steps.send(Ended.OVERDUE)


def test_a_call_that_nothing_can_end_loses_the_claim() -> None:
    """Its event loop is blocked: the heartbeat goes on, but nobody polls."""
    bench = Bench()
    bench.grant()
    next(bench.call())
    flight = Flight(bench)

    assert not bench.guard.sweep(bench.now + 31)
    assert flight.ended == [Ended.OVERDUE]
    assert bench.guard.sweep(bench.now + 36)
    assert bench.of(events.Stalled) == [events.Stalled(bot_id=BOT, seconds=26.0)]


def test_a_gap_between_batches_is_told() -> None:
    """The only sign of a rival that causes no 409."""
    bench = Bench()
    bench.grant()
    for ids in ((5, 6), (9,)):
        steps = bench.call(offset=ids[0])
        next(steps)
        result(steps, batch(*ids))

    assert bench.of(events.UpdateGap) == [events.UpdateGap(bot_id=BOT, missed=2, repeated=0)]


@pytest.mark.parametrize(
    ("pause", "is_sign"),
    [
        pytest.param(0.0, True, id="polled all the time: robbed"),
        pytest.param(29.9, True, id="no update lives for less than 30 s"),
        pytest.param(30.0, False, id="longer without a poll: they may have expired"),
    ],
)
def test_a_gap_is_a_sign_of_a_rival_where_we_had_polled_all_the_time(
    pause: float,
    is_sign: bool,
) -> None:
    """It is told in any case; an episode begins only where nothing else can explain it."""
    bench = Bench()
    bench.grant()
    for ids in ((5, 6), (9,)):
        steps = bench.call(offset=ids[0])
        next(steps)
        result(steps, batch(*ids))
        bench.later(pause)

    assert bench.of(events.UpdateGap) == [events.UpdateGap(bot_id=BOT, missed=2, repeated=0)]
    assert (bench.guard.state.role is Role.CONTENDED) is is_sign


def test_a_gap_behind_a_long_poll_is_a_sign_of_a_rival() -> None:
    """What counts is how long nobody of ours polled, not how long the poll was open."""
    bench = Bench()
    bench.grant()
    for ids in ((5, 6), (9,)):
        steps = bench.call(offset=ids[0], timeout=50.0)
        next(steps)
        bench.later(45)
        result(steps, batch(*ids))

    assert bench.guard.state.role is Role.CONTENDED


def test_a_gap_in_front_of_the_first_batch_is_no_sign_of_a_rival() -> None:
    """Before our first answer we had not polled: what is missing was our predecessor's, or has expired."""
    bench = Bench()
    bench.grant(
        claim=Claim(bot_id=BOT, term=Term(2), offset=Offset(value=50, api_root="http://api", at=bench.now))
    )
    steps = bench.call()
    next(steps)
    result(steps, batch(53))

    assert [e.missed for e in bench.of(events.UpdateGap)] == [3]
    assert bench.guard.state.role is Role.POLLING


def test_a_gap_behind_the_409_of_a_ghost_is_no_sign_of_a_rival() -> None:
    """A poll that was refused for our predecessor's is none."""
    bench = Bench()
    bench.grant(
        claim=Claim(
            bot_id=BOT,
            term=Term(2),
            clean=False,
            offset=Offset(value=50, api_root="http://api", at=bench.now),
        )
    )
    steps = bench.call()
    next(steps)
    steps.send(RIVAL)
    bench.later(2.0)
    steps.send(None)
    result(steps, batch(53))

    assert [e.kind for e in bench.of(events.ConflictSeen)] == [Kind.GHOST]
    assert [e.missed for e in bench.of(events.UpdateGap)] == [3]
    assert bench.guard.state.role is Role.POLLING


def test_updates_that_come_again_are_told_and_are_no_sign_of_a_rival() -> None:
    """Telegram repeats what was not acknowledged, to a framework that was started again for instance."""
    bench = Bench()
    bench.grant()
    for _ in range(2):
        steps = bench.call()
        next(steps)
        result(steps, batch(5, 6))

    assert bench.of(events.UpdateGap) == [events.UpdateGap(bot_id=BOT, missed=0, repeated=2)]
    assert bench.guard.state.role is Role.POLLING


def test_the_batch_that_shows_a_rival_is_handed_on() -> None:
    """Also where it makes us stand by: it is ours, and the framework's."""
    bench = Bench(on_rival=OnRival.YIELD)
    bench.grant()
    for ids in ((5, 6), (9,)):
        steps = bench.call(offset=ids[0])
        next(steps)
        assert result(steps, batch(*ids)) == batch(*ids)

    assert bench.guard.state.yielding


def test_an_established_holders_polls_change_nothing_of_its_state() -> None:
    """The hot path makes no new state, whatever the policy."""
    bench = Bench(on_rival=OnRival.AUTO)
    bench.grant(claim=Claim(bot_id=BOT, standing=Standing(tenure=100.0, at=bench.now)))
    before = bench.guard.state
    for number in range(3):
        steps = bench.call(offset=5 + number)
        next(steps)
        bench.later(7)
        result(steps, batch(5 + number) if number else EMPTY)

    assert bench.guard.state is before


@pytest.mark.parametrize(("minds_deadline", "expected"), [(False, [Ended.INTERRUPTED]), (True, [])])
def test_a_poll_whose_sessions_deadline_has_passed_is_ended(
    minds_deadline: bool,
    expected: list[Ended],
) -> None:
    """Whoever may have taken over polls beside it. The child of `onepoller run` looks at it by itself."""
    bench = Bench()
    bench.grant()
    next(bench.call())
    flight = Flight(bench, minds_deadline=minds_deadline)
    bench.session.deadline = bench.now + 1.0

    assert not bench.guard.sweep(bench.now)
    assert flight.ended == []
    bench.later(1.0)
    assert not bench.guard.sweep(bench.now)
    assert flight.ended == expected


def test_a_poll_that_was_ended_for_its_deadline_is_sent_anew_once_the_session_is_confirmed() -> None:
    """Inside the same call: the framework notices nothing."""
    bench = Bench()
    bench.grant()
    steps = bench.call(timeout=10.0)
    next(steps)
    bench.later(4.0)
    bench.session.deadline = bench.now

    assert isinstance(steps.send(Ended.INTERRUPTED), Await)
    assert bench.claims.said == [("confirm",)]
    assert steps.send(True) == SendPoll(request=Request(timeout=6.0))


def test_a_claim_that_was_lost_for_a_moment_comes_back_with_its_tenure() -> None:
    """A session that was replaced makes no newcomer: no look, no trial."""
    bench = Bench(on_rival=OnRival.AUTO)
    bench.grant(claim=Claim(bot_id=BOT, standing=Standing(tenure=100.0, at=bench.now)))
    bench.guard.lost(Cause.SESSION)
    bench.later(10)
    bench.grant(term=2)

    assert bench.guard.state.established_at == bench.now - 110.0
    assert bench.guard.state.look == 0.0


def test_an_established_holder_fights_for_as_long_as_its_tenure_and_then_stands_by() -> None:
    """102 s at the first 409, times 1.0, and 3 s: told once at the beginning and once when it gives in."""
    bench = Bench(on_rival=OnRival.AUTO)
    bench.grant(claim=Claim(bot_id=BOT, standing=Standing(tenure=100.0, at=bench.now)))
    while not bench.guard.state.yielding:
        steps = bench.call(timeout=10.0)
        next(steps)
        bench.later(2.0)
        steps.send(RIVAL)
        steps.close()

    assert bench.now == 208.0, "at the first 409 after 102 + 102 + 3 s"
    assert [e.stands_by for e in bench.of(events.EpisodeOpened)] == [False]
    assert len(bench.of(events.StoodBy)) == 1


def test_the_poll_that_shows_a_rival_ends_no_trial() -> None:
    """We stand by; coming back is a new trial, however long that poll was open."""
    bench = Bench(on_rival=OnRival.AUTO)
    bench.grant()
    bench.guard.state = State(role=Role.POLLING, term=Term(1))
    steps = bench.call(offset=5)
    next(steps)
    result(steps, batch(5, 6))
    steps = bench.call(offset=7)
    next(steps)
    bench.later(9)
    result(steps, batch(9))

    assert (bench.guard.state.yielding, bench.guard.state.established_at) == (True, None)


def test_the_gap_that_opens_an_episode_counts_in_it() -> None:
    """Else the log would say at its end that no update is missing."""
    bench = Bench()
    bench.grant()
    for ids in ((5, 6), (9,)):
        steps = bench.call(offset=ids[0])
        next(steps)
        result(steps, batch(*ids))
    bench.later(10)
    bench.guard.sweep(bench.now)

    assert [e.missed for e in bench.of(events.EpisodeClosed)] == [2]


def test_an_episode_that_came_with_the_claim_is_not_told_as_standing_by_again() -> None:
    """It is written on as it began, too."""
    bench = Bench(on_rival=OnRival.AUTO)
    episode = Episode(kind=Kind.RIVAL, since=9.0, conflicts=3, stands_by=True)
    bench.grant(claim=Claim(bot_id=BOT, episode=episode))
    bench.guard.apply(RivalGone())
    polled.conflict_met(bench.guard, RIVAL.text, 2.0)

    assert [(e.since, e.stands_by) for e in bench.claims.noted if e] == [(9.0, False), (9.0, True)]


def test_the_late_reply_to_a_caller_whose_loop_was_blocked_is_dropped() -> None:
    """Nothing could end its poll; the first thing that runs afterwards is the look at the deadline."""
    bench = Bench()
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)
    bench.session.deadline = bench.now + 9.0
    bench.later(8.8)
    bench.guard.lost(Cause.STORE)  # the runner's thread is not blocked
    bench.later(6.2)

    assert isinstance(steps.send(batch(5, 6)), Await)
    assert bench.claims.said == [("confirm",)]
    assert isinstance(steps.send(False), Await), "it waits for the claim"
    assert [(e.count, e.reason) for e in bench.of(events.UpdatesDropped)] == [(2, events.Dropped.STALE_OWNER)]


def test_a_reply_that_comes_after_the_claim_has_come_back_in_another_grant_is_dropped() -> None:
    """A successor may have been between the two."""
    bench = Bench()
    bench.grant()
    steps = bench.call(timeout=50.0)
    next(steps)
    bench.session.deadline = bench.now + 9.0
    bench.later(15.0)
    bench.guard.lost(Cause.STORE)
    assert isinstance(steps.send(batch(5, 6)), Await)
    bench.grant(term=3)
    steps.send(True)

    assert [e.count for e in bench.of(events.UpdatesDropped)] == [2]


def test_while_it_holds_on_a_reply_is_handed_over_though_the_deadline_has_passed() -> None:
    """Only on a server: the file store is asked, and its answer counts."""
    for fence_wait, handed in ((10.0, True), (0.0, False)):
        bench = Bench()
        bench.session.fence_wait = fence_wait
        bench.grant()
        steps = bench.call(timeout=50.0)
        next(steps)
        bench.session.deadline = bench.now
        bench.session.is_ours = False
        bench.claims.holds_on = True
        if handed:
            assert result(steps, batch(5)) == batch(5)
        else:
            assert isinstance(steps.send(batch(5)), Await)


# What comes again


def acknowledged(offset: int) -> Bench:
    """Make a guard whose framework has acknowledged so far, unheard by Telegram."""
    bench = Bench()
    bench.grant()
    steps = bench.call(offset=offset)
    next(steps)
    with pytest.raises(OSError, match="gone"):
        steps.throw(OSError("gone"))
    return bench


def test_what_a_framework_has_acknowledged_is_not_given_to_it_again() -> None:
    """It was started again, and asks from the beginning; the next poll tells Telegram how far it had come."""
    bench = acknowledged(8)
    steps = bench.call(offset=0)
    next(steps)
    step = steps.send(batch(6, 7, 8))

    assert step == SendPoll(request=Request(offset=8, timeout=10.0))
    assert bench.of(events.UpdatesDropped) == [
        events.UpdatesDropped(bot_id=BOT, count=2, reason=events.Dropped.REPEATED)
    ]
    assert result(steps, batch(8)) == batch(8)


def test_what_it_has_not_acknowledged_comes_again() -> None:
    """Handed over is not acknowledged: it may never have been worked on."""
    bench = acknowledged(8)
    for _ in range(2):
        steps = bench.call(offset=8)
        next(steps)
        assert result(steps, batch(8, 9)) == batch(8, 9)


@pytest.mark.parametrize(
    ("sent", "ids"),
    [
        pytest.param(0, (500_000,), id="a queue with new ids, far below"),
        pytest.param(-1, (700_007,), id="somebody asks for the newest"),
    ],
)
def test_smaller_ids_of_another_queue_and_what_is_asked_for_are_handed_over(
    sent: int, ids: tuple[int, ...]
) -> None:
    """Only what is surely the same update is dropped."""
    bench = acknowledged(700_008)
    steps = bench.call(offset=sent)
    next(steps)

    assert result(steps, batch(*ids)) == batch(*ids)


def test_what_comes_though_telegram_was_told_is_handed_over() -> None:
    """Ids that began anew not far below: it is dropped once, and never twice."""
    bench = acknowledged(700_008)
    steps = bench.call(offset=0)
    next(steps)
    steps.send(batch(650_000))

    assert result(steps, batch(650_000)) == batch(650_000)


def test_a_short_poller_that_starts_again_is_not_kept_waiting_by_what_it_knows() -> None:
    """The call that finds it is over; the next one asks for what comes after."""
    bench = acknowledged(8)
    steps = bench.call(offset=0, timeout=0.0)
    next(steps)
    assert result(steps, batch(7)) is NOTHING

    assert next(bench.call(offset=0, timeout=0.0)) == SendPoll(request=Request(offset=8, timeout=0.0))


def test_the_first_poll_of_a_term_is_told_once() -> None:
    """How long it took from the decision to take the claim, and why that was taken."""
    bench = Bench()
    bench.grant(cause=Cause.DIED)
    bench.later(0.25)
    for _ in range(2):
        steps = bench.call()
        next(steps)
        bench.later(5.0)
        result(steps, EMPTY)

    (told,) = bench.of(events.FirstPollEnded)
    assert (told.bot_id, told.seconds, told.cause) == (BOT, pytest.approx(0.25), Cause.DIED)


def test_a_first_poll_that_is_cancelled_makes_no_takeover_longer() -> None:
    """The next poll is not the first one."""
    bench = Bench()
    bench.grant()
    steps = bench.call()
    next(steps)
    bench.later(5.0)
    with pytest.raises(asyncio.CancelledError):
        steps.throw(asyncio.CancelledError())
    bench.later(0.5)
    steps = bench.call()
    next(steps)
    result(steps, EMPTY)

    assert bench.of(events.FirstPollEnded) == []
