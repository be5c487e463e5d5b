"""The look from outside: what a peek, a question and a probe say of whether somebody polls."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future
from typing import Any

import pytest

from onepoller.coordination.events import Look
from onepoller.coordination.rivals import Found, Peeks, RivalWatch, Sent, Verdict, WebhookShown
from onepoller.coordination.wire import Ask, Await, Delivered, Ended, Refused, Request, SendPoll, Step

NOBODY_WAITS = {"url": "", "pending_update_count": 0}
CONFLICT = Refused(status=409, text="terminated by other getUpdates request", reply="")


def waiting(count: int) -> dict[str, object]:
    """What getWebhookInfo says where so many updates wait."""
    return {"url": "", "pending_update_count": count}


def batch(*ids: int) -> Delivered:
    """A reply with these updates."""
    return Delivered(update_ids=ids, reply="200")


class Watching:
    """Somebody who stands by, second by second: the test answers its questions."""

    def __init__(self, *, chance: float = 0.5) -> None:
        self.now = 0.0
        self.draws: list[float] = []
        self._chance = chance
        self.watch = RivalWatch()
        self.changed: Future[None] = Future()

    def monotonic(self) -> float:
        """The test's clock."""
        return self.now

    def chance(self) -> float:
        """What the test has drawn, else always the same."""
        return self.draws.pop(0) if self.draws else self._chance

    def send(self, look: Look, request: Request) -> Sent:
        """As a guard sends it: a probe waits, a peek does not."""
        assert (look is Look.PROBE) is bool(request.timeout)
        end: Delivered | Refused | Ended | None = yield SendPoll(request=request)
        return end

    def look(
        self, deadline: float = 1e9, *, seconds: float = 8.0, crowd: float = 1.0
    ) -> Generator[Step, Any, Found | None]:
        """One step of the watch."""
        return self.watch.look(self, deadline, seconds=seconds, crowd=crowd)

    def until(self, kind: type[Step], answer: object, *, call: float = 1e9, **how: float) -> Found | None:
        """Wait until it does this, and answer it; the verdict of that step. Calls last so many seconds."""
        while True:
            steps = self.look(self.now + call, **how)
            try:
                step = next(steps)
                if isinstance(step, Await):
                    self.now += step.seconds
                    steps.send(None)
                else:
                    assert isinstance(step, kind), step
                    if isinstance(step, SendPoll):
                        self.now += step.request.timeout
                    steps.send(answer)
            except StopIteration as done:
                if not isinstance(step, Await):
                    found: Found | None = done.value
                    return found

    def next(self, call: float = 1e9) -> Step:
        """What it does next, after waiting; unanswered."""
        while isinstance(step := next(steps := self.look(self.now + call)), Await):
            self.now += step.seconds
            with pytest.raises(StopIteration):
                steps.send(None)
        return step

    def refuse(self, *, seconds: float) -> None:
        """Answer the probe that is due with a 409 after so many seconds."""
        steps = self.look()
        assert isinstance(next(steps), SendPoll)
        self.now += seconds
        with pytest.raises(StopIteration):
            steps.send(CONFLICT)


# One look, peek by peek


@pytest.mark.parametrize(("chance", "offset"), [(0.0, 2), (0.5, 500), (0.9999, 998)])
def test_a_peek_confirms_nothing_and_leaves_the_filter_alone(chance: float, offset: int) -> None:
    """An offset of 2 to 999 is below every real id; one update, no waiting, no allowed_updates."""
    assert Peeks().request(chance) == Request(offset=offset, limit=1, timeout=0.0, allowed_updates=None)


def test_no_two_peeks_in_a_row_have_the_same_offset() -> None:
    """The server would turn the second into a poll of 3 s."""
    peeks = Peeks()

    assert [peeks.request(0.9999).offset for _ in range(3)] == [998, 999, 998]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([0], Verdict.FREE, id="an empty queue at once: nobody stands in the way"),
        pytest.param([7, 0], Verdict.SEEN, id="what waited is gone: somebody took it"),
        pytest.param([7, 8], Verdict.SEEN, id="another one is first: somebody took the first"),
        pytest.param([7, 7], None, id="the same so far: look on"),
        pytest.param([7, 7, 8], Verdict.SEEN, id="taken in the last moment"),
        pytest.param([7, 7, 7], Verdict.FREE, id="the same to the end: nobody takes it"),
    ],
)
def test_what_the_first_updates_say(seen: list[int], expected: Verdict | None) -> None:
    """Looked at every 2.5 s, for 5 s."""
    peeks = Peeks()
    verdicts = [peeks.saw(first, 2.5 * number, seconds=5.0) for number, first in enumerate(seen)]

    assert verdicts == [*[None] * (len(seen) - 1), expected]


def test_a_look_ends_when_its_time_is_over_and_not_at_the_next_whole_step() -> None:
    """8 s are peeks after 2.5, 5, 7.5 and 8 s."""
    peeks, now, moments = Peeks(), 100.0, []
    while peeks.saw(7, now, seconds=8.0) is None:
        now = peeks.due
        moments.append(now - 100.0)

    assert moments == [2.5, 5.0, 7.5, 8.0]


# Standing by


def test_standing_by_asks_every_three_seconds_or_so() -> None:
    """Read-only, and jittered: 2.4 to 3.6 s."""
    watching = Watching()
    asked: list[float] = []
    for chance in (0.0, 0.5, 1.0):
        watching.draws = [chance] if asked else [0.5, chance]
        watching.until(Ask, NOBODY_WAITS)
        asked.append(watching.now)
    watching.until(Ask, NOBODY_WAITS)

    assert [*asked, watching.now] == pytest.approx([3.0, 5.4, 8.4, 12.0])


def test_in_a_crowd_each_is_asked_for_more_slowly() -> None:
    """Thousands of bots in standby are no load on the server."""
    watching = Watching()
    watching.until(Ask, NOBODY_WAITS, crowd=5.0)
    watching.until(Ask, NOBODY_WAITS, crowd=5.0)

    assert watching.now == 30.0


def test_in_a_crowd_each_is_looked_at_more_slowly() -> None:
    """As many peeks as ever, so they say as much as ever."""
    watching = Watching()
    watching.until(Ask, waiting(1), crowd=5.0)
    began, peeked = watching.now, 1
    while (verdict := watching.until(SendPoll, batch(7), crowd=5.0)) is None:
        peeked += 1

    assert (verdict, peeked, watching.now - began) == (Verdict.FREE, 5, 40.0)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 200.0), (1.0, 400.0)])
def test_in_a_crowd_probes_are_as_much_rarer(chance: float, expected: float) -> None:
    """They are polls of 8 s each."""
    watching = Watching()
    watching.draws = [chance]
    next(watching.look(crowd=5.0))

    assert watching.watch.next_probe == expected


def test_it_waits_for_whatever_changes() -> None:
    """A handover need not wait until the next question is due."""
    watching = Watching()
    step = next(watching.look())

    assert isinstance(step, Await)
    assert step.future is watching.changed


def test_a_webhook_that_shows_ends_the_watch() -> None:
    """The rival is refused as we are: it is not the one to wait for."""
    watching = Watching()
    info = {"url": "https://bots.example/secret", "pending_update_count": 3}

    assert watching.until(Ask, info) == WebhookShown(info=info)


@pytest.mark.parametrize(
    "refused",
    [
        Refused(status=401, text="Unauthorized", reply=""),
        Refused(status=409, text="Conflict: can't use getUpdates method while webhook is active", reply=""),
        Refused(status=409, text="Conflict: terminated by setWebhook request", reply=""),
    ],
)
@pytest.mark.parametrize("with_probe", [False, True])
def test_what_refuses_everybody_ends_the_watch(refused: Refused, *, with_probe: bool) -> None:
    """A token that is no good any more, a webhook: whether a peek meets it or a probe."""
    watching = probing() if with_probe else Watching()
    if not with_probe:
        watching.until(Ask, waiting(1))

    assert watching.until(SendPoll, refused) == refused


@pytest.mark.parametrize("status", [429, 502])
def test_what_passes_by_itself_does_not_end_the_watch(status: int) -> None:
    """It is asked again three seconds later; the framework notices nothing."""
    watching = Watching()
    watching.until(Ask, waiting(1))

    assert watching.until(SendPoll, Refused(status=status, text="", reply="")) is None


def test_questions_that_are_not_answered_are_followed_by_a_peek() -> None:
    """The second in a row: what a question does not tell, the answer to a peek does."""
    watching = Watching()
    watching.until(Ask, None)
    watching.until(Ask, NOBODY_WAITS)
    watching.until(Ask, None)
    watching.until(Ask, None)
    then = watching.now

    assert isinstance(watching.next(), SendPoll)
    assert watching.now == then


def test_a_watch_goes_on_with_the_probe_of_whoever_watched_before() -> None:
    """Else no probe ever came where the claim changes hands more often than every 40 s."""
    watching = Watching()
    watching.watch = RivalWatch(next_probe=1.0)
    step = watching.next()

    assert isinstance(step, SendPoll)
    assert (step.request.timeout, watching.now) == (8.0, 1.0)


def test_nothing_is_asked_after_the_calls_own_time() -> None:
    """The watch goes on in the framework's next call."""
    watching = Watching()
    step = next(watching.look(2.0))

    assert isinstance(step, Await)
    assert step.seconds == 2.0


def test_a_call_whose_time_is_over_waits_for_nothing() -> None:
    """It is the caller who says how long a call lasts."""
    watching = Watching()

    assert list(watching.look(0.0)) == []


def test_only_where_updates_wait_is_there_a_peek() -> None:
    """At once, without another wait."""
    watching = Watching()
    watching.until(Ask, NOBODY_WAITS)
    watching.until(Ask, waiting(1))
    then = watching.now

    assert isinstance(watching.next(), SendPoll)
    assert watching.now == then


def test_who_waits_unseen_for_so_long_as_was_said_is_taken_by_nobody() -> None:
    """`seconds` grows with each come-back that was wrong."""
    watching = Watching()
    watching.until(Ask, waiting(1), seconds=16.0)
    began = watching.now
    while (verdict := watching.until(SendPoll, batch(7), seconds=16.0)) is None:
        pass

    assert (verdict, watching.now - began) == (Verdict.FREE, 16.0)


def test_an_empty_queue_where_updates_waited_says_that_somebody_takes_them() -> None:
    """Before polling it would mean that nobody stands in the way; here one looks on."""
    watching = Watching()
    watching.until(Ask, waiting(1))

    assert watching.until(SendPoll, batch()) is None
    assert isinstance(watching.next(), Ask)


def test_a_first_update_that_changes_ends_the_look() -> None:
    """Somebody polls: ask again in 3 s, and look from the start where something waits then."""
    watching = Watching()
    watching.until(Ask, waiting(2))
    watching.until(SendPoll, batch(7))
    assert watching.until(SendPoll, batch(8)) is None
    then = watching.now

    assert isinstance(watching.next(), Ask)
    assert watching.now == then + 3.0


@pytest.mark.parametrize("end", [CONFLICT, Ended.INTERRUPTED, None])
def test_a_peek_without_an_answer_says_nothing(end: object) -> None:
    """The look starts again: what was first before counts no more."""
    watching = Watching()
    watching.until(Ask, waiting(1))
    watching.until(SendPoll, batch(7))
    watching.until(SendPoll, end)
    watching.until(Ask, waiting(1))
    began = watching.now
    while watching.until(SendPoll, batch(7)) is None:
        pass

    assert watching.now - began == 8.0


def test_a_question_without_an_answer_says_nothing() -> None:
    """It is asked again three seconds later."""
    watching = Watching()
    watching.until(Ask, None)
    watching.until(Ask, None)

    assert watching.now == 6.0


# The probe


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 40.0), (1.0, 80.0)])
def test_every_40_to_80_seconds_there_is_a_probe(chance: float, expected: float) -> None:
    """Eight seconds long, and it confirms nothing."""
    watching = Watching()
    watching.draws = [chance]
    while isinstance(step := watching.next(), Ask):
        watching.until(Ask, NOBODY_WAITS)

    assert step == SendPoll(request=Request(offset=500, limit=1, timeout=8.0))
    assert watching.now == expected


def probing(*, call: float = 1e9) -> Watching:
    """The probe is due."""
    watching = Watching()
    while isinstance(watching.next(call), Ask):
        watching.until(Ask, NOBODY_WAITS, call=call)
    return watching


def test_eight_seconds_without_a_409_say_that_nobody_polls() -> None:
    """Whoever was parked would have been answered 409, and have parked again."""
    assert probing().until(SendPoll, batch()) is Verdict.UNOPPOSED


def test_a_probe_goes_on_over_the_calls_of_the_framework() -> None:
    """Calls of three seconds hold three of the eight."""
    watching = probing(call=3.0)
    began = watching.now
    verdicts = [watching.until(SendPoll, batch(), call=3.0) for _ in range(3)]

    assert verdicts == [None, None, Verdict.UNOPPOSED]
    assert watching.now - began == 8.0


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(3.9, 60.0 + 3.9 + 0.5 * 6.0, id="somewhere in the next call"),
        pytest.param(4.0, 60.0, id="in this one, and the rest of it in the next"),
    ],
)
def test_a_probe_is_not_begun_at_the_end_of_a_call(left: float, expected: float) -> None:
    """The rival's 409 may be held for 3 s: a second piece would evict it again."""
    watching = probing(call=10.0)
    assert watching.now == 60.0
    next(watching.look(watching.now + left))

    assert watching.watch.next_probe == expected


def test_a_framework_whose_calls_have_become_short_is_probed_for_all_the_same() -> None:
    """A probe is put off once."""
    watching = probing(call=10.0)
    while isinstance(step := watching.next(3.0), Ask):
        watching.until(Ask, NOBODY_WAITS, call=3.0)

    assert isinstance(step, SendPoll)
    assert watching.now < 70.0


def test_a_409_to_a_probe_says_that_somebody_is_there() -> None:
    """The seconds before it do not count; the next probe is due in 40 to 80 s, and lasts 8 s again."""
    watching = probing(call=3.0)
    watching.until(SendPoll, batch(), call=3.0)
    watching.refuse(seconds=1.0)
    then = watching.now
    while isinstance(step := watching.next(), Ask):
        watching.until(Ask, NOBODY_WAITS)

    assert isinstance(step, SendPoll)
    assert (step.request.timeout, watching.now - then) == (8.0, 60.0)


def test_updates_that_come_to_a_probe_are_looked_at() -> None:
    """Whoever takes them is not parked, and would not meet a 409."""
    watching = probing()

    assert watching.until(SendPoll, batch(7)) is None
    step = watching.next()
    assert isinstance(step, SendPoll)
    assert step.request.timeout == 0.0


@pytest.mark.parametrize(("seen", "expected"), [((7, 8), 60.0), ((7, 7), 0.0), ((0,), 60.0)])
def test_who_takes_what_comes_is_not_probed_for(seen: tuple[int, ...], expected: float) -> None:
    """The next probe is due 40 to 80 s after that was last seen: an unseen death is told no later."""
    watching = Watching()
    watching.until(Ask, waiting(1))
    for first in seen:
        watching.until(SendPoll, batch(first) if first else batch())
    then = watching.now
    watching.now = watching.watch.next_probe = then + 39.9
    next(watching.look())

    assert watching.watch.next_probe == then + (expected or 39.9)


def test_an_empty_queue_where_nothing_waited_shows_nobody() -> None:
    """Telegram did not answer our questions, so we peeked."""
    watching = Watching()
    for _ in range(2):
        watching.until(Ask, None)
    watching.until(SendPoll, batch())
    due = watching.now = watching.watch.next_probe = 30.0
    next(watching.look())

    assert watching.watch.next_probe == due


def test_a_question_that_shows_fewer_updates_waiting_makes_the_probe_start_again() -> None:
    """Somebody took them meanwhile."""
    watching = Watching()
    watching.until(Ask, waiting(2))
    watching.until(SendPoll, CONFLICT)
    watching.watch.unopposed = 3.0
    watching.until(Ask, waiting(1))

    assert watching.watch.unopposed == 0.0
