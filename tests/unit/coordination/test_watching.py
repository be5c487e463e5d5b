"""The part of a call in which a guard looks instead of polling, step by step."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest

from onepoller.coordination import events, polled
from onepoller.coordination.call import Steps
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.situation import RivalGone
from onepoller.coordination.stores.seam import Claim, Episode, Standing
from onepoller.coordination.wire import NOTHING, Ask, Await, Ended, Manners, Refused, Request, SendPoll
from tests.unit.coordination.bench import BOT, EMPTY, PLAIN, RIVAL, Bench, W, batch, result

WEBHOOK = Refused(status=409, text=W, reply="")


class ReadTimeout(Exception):
    """As HTTP clients name it."""


def newcomer(manners: Manners = PLAIN, **settings: Any) -> Bench:
    """Make a guard under `auto` that was just given a claim with nobody to follow."""
    bench = Bench(manners, on_rival=OnRival.AUTO, **settings)
    bench.grant()
    return bench


def established(tenure: float = 100.0) -> Bench:
    """Make a guard under `auto` that goes on with a predecessor's tenure."""
    bench = Bench(on_rival=OnRival.AUTO)
    bench.grant(claim=Claim(bot_id=BOT, standing=Standing(tenure=tenure, at=bench.now)))
    return bench


def is_peek(step: object) -> bool:
    """Whether this is a peek, by what makes it harmless."""
    if not isinstance(step, SendPoll):
        return False
    asked = step.request
    return 2 <= asked.offset <= 999 and (asked.limit, asked.timeout, asked.allowed_updates) == (1, 0.0, None)


def wait(bench: Bench, steps: Steps, step: Any) -> Any:
    """Wait as long as this step says, and give the next one."""
    assert isinstance(step, Await)
    bench.later(step.seconds)
    return steps.send(None)


def called(bench: Bench, *, timeout: float, first: int) -> list[str]:
    """One call of the framework, whose peeks find this update first; what it did."""
    steps = bench.call(timeout=timeout)
    did: list[str] = []
    with contextlib.suppress(StopIteration):
        step = next(steps)
        while True:
            if isinstance(step, Await):
                did.append("waited")
                step = wait(bench, steps, step)
            elif is_peek(step):
                did.append("peeked")
                step = steps.send(batch(first) if first else EMPTY)
            else:
                did.append("polled")
                step = steps.send(EMPTY)
    return did


# The look before the first poll


def test_a_newcomer_that_finds_nothing_waiting_polls_in_the_same_call() -> None:
    """One peek: nobody stands in the way, or whoever does is parked and answers the poll."""
    bench = newcomer()
    steps = bench.call(offset=7, timeout=10.0)

    assert is_peek(next(steps))
    assert steps.send(EMPTY) == SendPoll(request=Request(offset=7, timeout=10.0))


def test_a_newcomer_peeks_for_five_seconds_and_polls_with_what_is_left() -> None:
    """Nobody takes what waits; the call lasts no longer for it."""
    bench = newcomer()
    steps = bench.call(timeout=10.0)
    next(steps)
    for _ in range(2):
        assert is_peek(wait(bench, steps, steps.send(batch(7))))

    assert steps.send(batch(7)) == SendPoll(request=Request(timeout=5.0))


@pytest.mark.parametrize("then", [batch(8), EMPTY])
def test_a_newcomer_that_sees_somebody_poll_stands_by(then: object) -> None:
    """It has not polled once; the log says so in one line."""
    bench = newcomer()
    steps = bench.call(timeout=10.0)
    next(steps)
    wait(bench, steps, steps.send(batch(7)))

    assert isinstance(steps.send(then), Await)
    assert (bench.guard.state.role, bench.guard.state.yielding) == (Role.CONTENDED, True)
    assert [(e.kind, e.stands_by) for e in bench.of(events.EpisodeOpened)] == [(Kind.RIVAL, True)]
    assert bench.of(events.StoodBy) == []


def test_no_peek_is_sent_once_the_claim_is_gone() -> None:
    """The wait between two peeks ends with it, and the call waits like everybody else."""
    bench = newcomer()
    steps = bench.call(timeout=10.0)
    next(steps)
    step = steps.send(batch(7))
    assert isinstance(step, Await)
    assert not step.future.done()

    bench.guard.lost(Cause.FENCED)
    assert step.future.done()
    steps.send(None)

    assert bench.claims.said == [("want",)]


def test_a_peek_that_a_handover_ends_is_no_answer() -> None:
    """The claim is asked for again, and nothing is raised."""
    bench = newcomer()
    steps = bench.call(timeout=10.0)
    next(steps)
    bench.guard.lost(Cause.FENCED)

    assert isinstance(steps.send(Ended.INTERRUPTED), Await)
    assert bench.guard.state.role is Role.STANDBY


def test_a_look_goes_on_over_the_calls_of_a_framework_with_a_short_timeout() -> None:
    """Calls of a second: the peeks are 2.5 s apart all the same, and then it polls."""
    bench = newcomer()
    began = bench.now
    did: list[str] = []
    while "polled" not in did:
        did += called(bench, timeout=1.0, first=7)

    assert (did.count("peeked"), bench.now - began) == (3, 5.0)


def test_a_short_poller_gets_past_the_look() -> None:
    """`timeout=0`, about every second: it polls after the 5 s of a look, and not before."""
    bench = newcomer()
    began = bench.now
    did: list[str] = []
    while "polled" not in did:
        bench.later(0.95)
        did += called(bench, timeout=0.0, first=7)

    assert did.count("peeked") == 3
    assert 5.0 <= bench.now - began < 8.0


def test_a_program_that_polls_by_itself_is_started_without_a_look() -> None:
    """`onepoller run` without the proxy: nothing can go before the requests of a child."""
    bench = newcomer(Manners(can_look=False))

    assert next(bench.call(timeout=30.0)) == SendPoll(request=Request(timeout=30.0))


# What goes wrong with a peek


def test_a_peek_that_fails_raises_what_a_poll_would_raise() -> None:
    """The framework backs off, and the row of failures begins."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    error = ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError) as raised:
        steps.throw(error)

    assert raised.value is error
    assert bench.guard.state.failing_since == bench.now


def test_peeks_that_only_fail_pass_the_claim_on_after_a_minute() -> None:
    """As polls would: a peer may reach Telegram."""
    bench = newcomer()
    for _ in range(2):
        steps = bench.call()
        next(steps)
        with pytest.raises(OSError, match="gone"):
            steps.throw(OSError("gone"))
        bench.later(60)

    assert ("pass_on",) in bench.claims.said


@pytest.mark.parametrize("status", [429, 502])
def test_an_error_of_a_peek_is_handed_on(status: int) -> None:
    """A `retry_after` is the framework's to keep."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    refused = Refused(status=status, text="no", reply="", retry_after=3.0)

    assert result(steps, refused) is refused
    assert bench.guard.state.failing_since == bench.now


def test_a_refused_token_shows_at_the_first_peek() -> None:
    """It is told, and the claim goes to a peer at once."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    result(steps, Refused(status=401, text="Unauthorized", reply=""))

    assert bench.of(events.TokenRefused) == [events.TokenRefused(bot_id=BOT)]
    assert ("pass_on",) in bench.claims.said


def test_a_webhook_shows_at_the_first_peek() -> None:
    """Blocked: it is named and watched."""
    bench = newcomer()
    steps = bench.call()
    next(steps)

    assert steps.send(WEBHOOK) == Ask(method="getWebhookInfo")
    assert bench.guard.state.role is Role.BLOCKED


def test_after_a_webhook_the_look_that_it_cut_short_is_made() -> None:
    """Whoever deleted it may poll now."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    steps.send(WEBHOOK)

    assert is_peek(steps.send({"url": ""}))


def test_a_rivals_409_to_a_peek_is_met_on_trial() -> None:
    """The server made a poll of it, and somebody parked after us."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    steps.send(RIVAL)

    assert bench.guard.state.yielding


# When else one looks


def test_after_a_failed_call_the_next_one_looks_for_two_and_a_half_seconds() -> None:
    """Somebody may have come meanwhile."""
    bench = established()
    steps = bench.call()
    next(steps)
    with pytest.raises(OSError, match="gone"):
        steps.throw(OSError("gone"))
    steps = bench.call(timeout=10.0)

    assert is_peek(next(steps))
    assert is_peek(wait(bench, steps, steps.send(batch(7))))
    assert steps.send(batch(7)) == SendPoll(request=Request(timeout=7.0))
    assert bench.now == 102.5


@pytest.mark.parametrize(("silence", "is_kept"), [(15.0, True), (15.5, False)])
def test_a_failed_call_costs_the_tenure_where_it_lasted_too_long(
    silence: float,
    is_kept: bool,
) -> None:
    """Counted from Telegram's last answer, not from the failure."""
    bench = established()
    steps = bench.call()
    next(steps)
    bench.later(silence)
    with pytest.raises(OSError, match="gone"):
        steps.throw(OSError("gone"))

    assert (bench.guard.state.established_at is not None) is is_kept


@pytest.mark.parametrize(
    ("opened", "end", "expected"),
    [
        pytest.param(7.9, Ended.INTERRUPTED, -1.0, id="a trial that was not over"),
        pytest.param(8.0, Ended.INTERRUPTED, 0.0, id="a trial that a handover cut short was over"),
        pytest.param(8.0, Ended.OVERDUE, None, id="who was frozen knows nothing"),
        pytest.param(8.0, asyncio.CancelledError(), 0.0, id="the same where the framework stops"),
        pytest.param(8.0, ReadTimeout("too long"), None, id="a connection that may have been dead"),
    ],
)
def test_a_poll_that_is_ended_by_us_was_a_trial_too(
    opened: float, end: Ended | BaseException, expected: float | None
) -> None:
    """An idle newcomer's first poll may last a minute: its successor is none."""
    bench = newcomer()
    steps = bench.call(timeout=50.0)
    next(steps)
    steps.send(EMPTY)
    bench.later(opened)
    with contextlib.suppress(BaseException):
        if isinstance(end, Ended):
            steps.send(end)
        else:
            steps.throw(end)
    standing = bench.guard.incumbency.to_pass_on(bench.guard.state)

    assert (standing and standing.tenure) == expected


@pytest.mark.parametrize(("opened", "expected"), [(7.9, True), (8.1, False)])
def test_a_409_that_ends_a_long_first_poll_meets_somebody_established(
    opened: float, *, expected: bool
) -> None:
    """Nobody else had parked until then: whoever does now is the newcomer."""
    bench = newcomer()
    steps = bench.call(timeout=50.0)
    next(steps)
    steps.send(EMPTY)
    bench.later(opened)
    steps.send(RIVAL)

    assert bench.guard.state.yielding is expected


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        pytest.param(ConnectionResetError("gone"), True, id="the connection broke just now"),
        pytest.param(ReadTimeout("too long"), False, id="or at some moment since it was sent"),
    ],
)
def test_an_idle_incumbent_whose_long_poll_breaks_off_keeps_its_tenure(
    error: Exception, *, is_kept: bool
) -> None:
    """It was parked for 40 s, and a rival would have ended it with a 409; that it was cut off shows late."""
    bench = established()
    bench.guard.incumbency.answered()
    steps = bench.call(timeout=50.0)
    next(steps)
    bench.later(40.0)
    with pytest.raises(type(error)):
        steps.throw(error)

    assert (bench.guard.state.established_at is not None) is is_kept
    assert bench.guard.state.look == 2.5
    assert (("note_standing",) in bench.claims.said) is not is_kept


def test_an_error_that_telegram_answers_after_a_while_costs_no_tenure() -> None:
    """A 502 after 40 s came over a connection that was open all the time."""
    bench = established()
    bench.guard.incumbency.answered()
    steps = bench.call(timeout=50.0)
    next(steps)
    bench.later(40.0)
    result(steps, Refused(status=502, text="Bad Gateway", reply=""))

    assert bench.guard.state.established_at is not None


@pytest.mark.parametrize(("away", "is_sign"), [(10.0, True), (20.0, False)])
def test_a_gap_behind_a_cut_off_is_no_rival_of_now(away: float, *, is_sign: bool) -> None:
    """Somebody polled for us meanwhile. A look has shown nobody; if both stood by, none would poll."""
    bench = established()
    result(parked(bench), batch(5))
    bench.later(away)
    steps = parked(bench, 6)
    with pytest.raises(ReadTimeout):
        steps.throw(ReadTimeout("too long"))
    steps = bench.call(offset=6)
    assert is_peek(next(steps))
    assert isinstance(steps.send(EMPTY), SendPoll)
    result(steps, batch(9))

    assert [gap.missed for gap in bench.of(events.UpdateGap)] == [3]
    assert (bench.guard.state.episode is not None) is is_sign


def test_two_calls_that_fail_in_a_row_are_no_parked_poll() -> None:
    """The second was sent when nobody had heard us for longer than 15 s."""
    bench = established()
    bench.guard.incumbency.answered()
    for seconds in (40.0, 5.0):
        steps = bench.call(timeout=50.0)
        next(steps)
        bench.later(seconds)
        with pytest.raises(OSError, match="gone"):
            steps.throw(OSError("gone"))
        bench.later(16.0)
        bench.guard.state = replace(bench.guard.state, look=0.0)

    assert bench.guard.state.established_at is None


def test_who_has_overslept_looks_and_is_a_newcomer_again() -> None:
    """More than a minute without an answer: freeze, sleep, a long handler."""
    bench = established()
    result(parked(bench), EMPTY)
    bench.later(60.5)
    steps = bench.call(timeout=10.0)

    assert is_peek(next(steps))
    assert bench.guard.state.established_at is None
    assert steps.send(EMPTY) == SendPoll(request=Request(timeout=10.0))
    steps.send(RIVAL)
    assert bench.guard.state.yielding


def test_a_minute_without_a_call_is_no_oversleeping() -> None:
    """It has to be more."""
    bench = established()
    result(parked(bench), EMPTY)
    bench.later(60.0)

    assert not is_peek(next(bench.call()))


def test_a_409_to_a_look_is_an_answer_of_now() -> None:
    """Whatever became of the poll before it."""
    bench = established(tenure=10_000.0)
    result(parked(bench), EMPTY)
    steps = bench.call(timeout=10.0)
    next(steps)
    with pytest.raises(OSError, match="gone"):
        steps.throw(OSError("gone"))
    bench.later(50.0)
    steps = bench.call(timeout=10.0)
    assert is_peek(next(steps))
    steps.send(RIVAL)

    assert bench.guard.incumbency.silence == 0.0


def test_a_409_is_an_answer_of_telegram() -> None:
    """Who fights for an hour was never silent, so its tenure stays."""
    bench = established(tenure=10_000.0)
    steps = bench.call(timeout=50.0)
    next(steps)
    for _ in range(3):
        bench.later(30)
        steps.send(RIVAL)
        steps.close()
        steps = bench.call(timeout=50.0)
        assert not is_peek(next(steps))

    assert bench.guard.state.established_at is not None


def parked(bench: Bench, offset: int = 0) -> Steps:
    """A call whose poll is on its way."""
    steps = bench.call(offset=offset)
    assert not is_peek(next(steps))
    return steps


def test_a_busy_newcomer_looks_once_more_when_its_moment_has_come() -> None:
    """Whose polls all find something has never parked, and would never meet a 409."""
    bench = newcomer()
    called(bench, timeout=10.0, first=0)
    bench.guard.state = start = bench.guard.state
    peeked = []
    for second in range(20):
        bench.now = 101.0 + second
        steps = bench.call(offset=10 + second)
        step = next(steps)
        if is_peek(step):
            peeked.append(second + 1)
            step = steps.send(EMPTY)
        result(steps, batch(10 + second))

    assert start.look_at == 108.5
    assert peeked == [10]


# Standing by


def test_many_bots_in_standby_ask_more_slowly() -> None:
    """As the instance says."""
    bench = newcomer()
    bench.claims.crowd = 4.0
    steps = bench.call(timeout=50.0)
    next(steps)
    step = steps.send(RIVAL)

    assert isinstance(step, Await)
    assert step.seconds == 12.0


def test_who_stands_by_does_not_outlast_its_call() -> None:
    """The framework sees a quiet bot."""
    bench = newcomer()
    steps = bench.call(timeout=2.0)
    next(steps)
    step = steps.send(RIVAL)
    assert isinstance(step, Await)
    assert step.seconds == 2.0
    bench.later(2.0)

    assert result(steps, None) is NOTHING


def test_who_comes_back_has_heard_of_telegram() -> None:
    """The look was an answer: an hour in standby is no oversleeping."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    steps.send(RIVAL)
    steps.close()
    bench.later(3600)
    steps = bench.call(timeout=50.0)
    step = next(steps)
    assert isinstance(step, SendPoll)
    bench.later(step.request.timeout)

    assert steps.send(EMPTY) == SendPoll(request=Request(timeout=42.0))
    assert bench.guard.state.established_at == bench.now


@pytest.mark.parametrize(
    "episode",
    [
        Episode(kind=Kind.WEBHOOK_ACTIVE, since=0.0),
        Episode(kind=Kind.RIVAL, since=0.0, stands_by=True),
    ],
)
def test_a_program_that_polls_by_itself_does_not_wait_for_what_it_cannot_see_go(episode: Episode) -> None:
    """A predecessor's webhook or rival: nothing could tell it that they are gone."""
    bench = Bench(Manners(can_look=False), on_rival=OnRival.AUTO)
    bench.grant(claim=Claim(bot_id=BOT, episode=episode))

    assert next(bench.call(timeout=30.0)) == SendPoll(request=Request(timeout=30.0))


@pytest.mark.parametrize("refused", [None, RIVAL, WEBHOOK])
def test_a_short_poller_that_is_not_to_poll_is_answered_after_a_second(refused: Refused | None) -> None:
    """In a look, beside a rival, before a webhook: one that never sleeps would turn in circles."""
    bench = newcomer()
    steps = bench.call(timeout=0.0)
    next(steps)
    step = steps.send(refused or batch(7))
    if isinstance(step, Ask):
        step = steps.send({"url": "https://bots.example/secret"})

    assert isinstance(step, Await)
    assert step.seconds == 1.0


def test_a_peek_that_does_not_come_back_counts_as_an_error() -> None:
    """As a poll does: else a black hole would look like a quiet bot, and no peer got the claim."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    bench.later(20)

    with pytest.raises(TimeoutError, match="bot 42 did not come back in time"):
        steps.send(Ended.OVERDUE)
    assert bench.guard.state.failing_since == bench.now


def standing_by(*, timeout: float = 1e6, **episode: Any) -> tuple[Bench, Steps, Any]:
    """Make a guard under `auto` that goes on standing by for a rival, its call, and the call's first step."""
    bench = Bench(on_rival=OnRival.AUTO)
    known = Episode(kind=Kind.RIVAL, since=0.0, stands_by=True, **episode)
    bench.grant(claim=Claim(bot_id=BOT, episode=known))
    steps = bench.call(timeout=timeout)
    return bench, steps, next(steps)


def until(bench: Bench, steps: Steps, step: Any, kind: type) -> Any:
    """Wait, with nothing pending, until it does this."""
    while not isinstance(step, kind):
        if isinstance(step, Await):
            step = wait(bench, steps, step)
        else:
            assert isinstance(step, Ask)
            step = steps.send({"url": "", "pending_update_count": 0})
    return step


def test_a_webhook_that_is_set_while_we_stand_by_blocks_us() -> None:
    """It is told with its host, no 409 is counted, and getWebhookInfo tells when it is gone."""
    bench, steps, step = standing_by()
    until(bench, steps, step, Ask)
    step = steps.send({"url": "https://bots.example/secret", "pending_update_count": 0})

    assert bench.guard.state.role is Role.BLOCKED
    assert [(e.kind, e.detail) for e in bench.of(events.EpisodeOpened)] == [
        (Kind.WEBHOOK_ACTIVE, "bots.example")
    ]
    assert (bench.of(events.ConflictSeen), bench.guard.conflicts) == ([], 0)
    assert isinstance(step, Ask)
    assert isinstance(steps.send({"url": ""}), SendPoll)


def test_a_token_that_is_refused_while_we_stand_by_is_told_and_handed_on() -> None:
    """A question has no status, so after two without an answer a peek asks: within seconds."""
    bench, steps, step = standing_by()
    for _ in range(2):
        until(bench, steps, step, Ask)
        step = steps.send(None)
    began = bench.now - 100.0
    assert is_peek(step)
    refused = Refused(status=401, text="Unauthorized", reply="401")

    assert result(steps, refused) is refused
    assert bench.of(events.TokenRefused) == [events.TokenRefused(bot_id=BOT)]
    assert ("pass_on",) in bench.claims.said
    assert began <= 7.0


def test_who_stands_by_hears_of_a_handover_at_once() -> None:
    """The peer takes it over as it is; nothing waits for the next question."""
    bench, steps, step = standing_by()
    assert isinstance(step, Await)
    bench.guard.begin_drain()

    assert step.future.done()
    steps.send(None)
    assert bench.claims.said[-1] == ("want",)


@pytest.mark.parametrize("kind", [Ask, SendPoll])
def test_nothing_is_asked_or_sent_after_the_sessions_deadline(kind: type) -> None:
    """A successor may watch already: what is to be sent waits until the session is confirmed."""
    bench, steps, step = standing_by()
    if kind is SendPoll:
        assert bench.guard.looks.rival.next_probe
        bench.later(200.0)
        bench.session.deadline = bench.now
        step = steps.send(None)
    else:
        bench.session.deadline = bench.now
        step = wait(bench, steps, step)
    assert bench.claims.said[-1] == ("confirm",)
    assert isinstance(step, Await)

    assert isinstance(steps.send(True), kind)


def test_no_peek_before_polling_is_sent_after_the_sessions_deadline() -> None:
    """A session that turns out to be over sends nothing more."""
    bench = newcomer()
    bench.session.deadline = bench.now
    steps = bench.call()
    assert isinstance(next(steps), Await)
    bench.guard.lost(Cause.SESSION)
    steps.send(False)

    assert bench.claims.said[-2:] == [("confirm",), ("want",)]


def test_a_store_that_is_away_keeps_no_call_for_longer_than_its_time() -> None:
    """The session's deadline has passed and nobody can confirm it: the framework sees a quiet bot."""
    bench = newcomer()
    bench.session.deadline = bench.now
    steps = bench.call(timeout=4.0)
    step = next(steps)
    assert isinstance(step, Await)
    assert step.seconds == 4.0
    bench.later(4.0)

    assert result(steps, None) is NOTHING


def test_the_next_probe_lies_in_the_claim() -> None:
    """Drawn with the first look, and again after each probe."""
    bench, steps, step = standing_by()
    probe = until(bench, steps, step, SendPoll)
    assert [noted.next_probe for noted in bench.claims.noted if noted] == [bench.now]
    bench.later(probe.request.timeout)
    steps.send(RIVAL)

    assert [noted.next_probe for noted in bench.claims.noted if noted][1:] == [bench.now + 60.0]


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        pytest.param(130.0, 30.0, id="in half a minute"),
        pytest.param(90.0, 0.0, id="it is overdue"),
        pytest.param(9e9, 80.0, id="by a wall clock that was wrong"),
    ],
)
def test_a_successor_makes_the_probe_of_its_predecessor(due: float, expected: float) -> None:
    """Else none ever came where the claim changes hands more often than every 40 s."""
    bench, steps, step = standing_by(next_probe=due)
    until(bench, steps, step, SendPoll)

    assert bench.now - 100.0 == expected


def test_a_new_fight_has_a_new_probe() -> None:
    """What was due in the one before is no business of this one."""
    bench, steps, step = standing_by(next_probe=130.0)
    bench.guard.apply(RivalGone())
    polled.conflict_met(bench.guard, RIVAL.text, 1.0)

    assert bench.guard.chronicle.probe_after is None
    assert [noted.next_probe for noted in bench.claims.noted if noted] == [0.0, 0.0]
    steps.close()
    assert isinstance(step, Await)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (EMPTY, events.Outcome.EMPTY),
        (batch(7), events.Outcome.UPDATES),
        (RIVAL, events.Outcome.CONFLICT),
        (ReadTimeout("too long"), events.Outcome.TIMEOUT),
        (OSError("gone"), events.Outcome.NETWORK_ERROR),
        (Ended.INTERRUPTED, events.Outcome.CANCELLED),
    ],
)
def test_a_probe_is_told_as_what_it_is(end: Any, outcome: events.Outcome) -> None:
    """It is no poll, and metrics show it all the same."""
    bench, steps, step = standing_by()
    until(bench, steps, step, SendPoll)
    if isinstance(end, Exception):
        steps.throw(end)
    else:
        steps.send(end)

    assert bench.of(events.LookEnded) == [
        events.LookEnded(bot_id=BOT, look=events.Look.PROBE, outcome=outcome)
    ]
    assert bench.of(events.PollEnded) == []


def test_a_peek_before_polling_is_told_too() -> None:
    """Whether it was answered or not."""
    bench = newcomer()
    steps = bench.call()
    next(steps)
    with pytest.raises(OSError, match="gone"):
        steps.throw(OSError("gone"))

    assert bench.of(events.LookEnded) == [
        events.LookEnded(bot_id=BOT, look=events.Look.PEEK, outcome=events.Outcome.NETWORK_ERROR)
    ]


def test_in_a_crowd_a_webhook_is_asked_for_more_slowly() -> None:
    """Every 5 s for one bot."""
    bench = newcomer()
    bench.claims.crowd = 4.0
    steps = bench.call(timeout=1e6)
    next(steps)
    steps.send(WEBHOOK)
    step = steps.send({"url": "https://bots.example/secret"})

    assert isinstance(step, Await)
    assert step.seconds == 20.0


def test_who_watches_a_webhook_or_a_rival_is_one_of_the_crowd() -> None:
    """Polling is not watching, nor is the look before it."""
    bench = newcomer()
    assert not bench.guard.looks_from_outside
    polled.conflict_met(bench.guard, RIVAL.text, 1.0)
    assert bench.guard.looks_from_outside
    polled.conflict_met(bench.guard, WEBHOOK.text, 1.0)

    assert bench.guard.looks_from_outside
