"""When the log tells of an event, and when it does not."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, ClaimEvent, Event, Outcome
from onepoller.coordination.identity import BotId, Identity, Term
from onepoller.coordination.report import Role
from onepoller.metrics import LogLines

BOT = BotId(42)
OPENED = events.EpisodeOpened(bot_id=BOT, kind=Kind.RIVAL, policy="hold")
CLOSED = events.EpisodeClosed(bot_id=BOT, kind=Kind.RIVAL, resolution="rival_gone", seconds=9.0, conflicts=3)
SEEN = events.ConflictSeen(bot_id=BOT, kind=Kind.RIVAL, seconds=1.0)
BEAT = events.BeatEnded(seconds=0.001)


@pytest.fixture
def lines(me: Identity, clock: SimpleNamespace) -> LogLines:
    """Give the listener, on the clock that tests move."""
    return LogLines(me, clock=lambda: float(clock.now), wall=lambda: float(clock.now))


def tell(lines: LogLines, *happened: Event) -> None:
    """Tell of several events at once."""
    for event in happened:
        lines(event)


def told(caplog: pytest.LogCaptureFixture, *, above: int = logging.DEBUG) -> list[str]:
    """Take the first words of the lines above a level, and forget them."""
    found = [record.getMessage() for record in caplog.records if record.levelno > above]
    caplog.clear()
    return [text.partition(":")[0] for text in found]


def polling(bot_id: int) -> events.RoleChanged:
    """Make a bot that starts to poll."""
    return events.RoleChanged(bot_id=BotId(bot_id), role=Role.POLLING, was=Role.STANDBY, term=Term(1))


def test_an_episode_is_a_line_at_each_end_and_none_for_a_409(
    lines: LogLines, caplog: pytest.LogCaptureFixture
) -> None:
    """However many answers it has."""
    tell(lines, OPENED, *[SEEN] * 50, CLOSED)

    assert told(caplog) == ["conflict", "conflict over"]


def test_a_long_episode_is_told_every_five_minutes(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """By whatever happens next; a webhook makes no 409."""
    lines(OPENED)
    for _ in range(910):
        clock.now += 1
        lines(BEAT)

    assert told(caplog) == ["conflict", *["conflict goes on"] * 3]


def test_a_reminder_counts_what_came_meanwhile(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """Time and conflict answers since the beginning."""
    tell(lines, OPENED, SEEN, SEEN)
    clock.now += 300
    lines(BEAT)

    assert caplog.records[-1].getMessage() == (
        "conflict goes on: bot 42, rival, for 5 min now, 2 conflict answers (onepoller status)"
    )


def test_an_episode_that_comes_back_at_once_is_not_told_again(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its beginning nor its end, for five minutes."""
    tell(lines, OPENED, CLOSED)
    clock.now += 299
    tell(lines, OPENED, CLOSED)
    assert told(caplog) == ["conflict", "conflict over"]

    clock.now += 1
    lines(OPENED)
    assert told(caplog) == ["conflict"]


def test_an_untold_episode_that_lasts_is_told_later(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """Together with its end."""
    tell(lines, OPENED, CLOSED)
    clock.now += 200
    lines(OPENED)
    told(caplog)
    clock.now += 100
    tell(lines, BEAT, CLOSED)

    assert told(caplog) == ["conflict goes on", "conflict over"]


@pytest.mark.parametrize(
    "event",
    [
        events.TokenRefused(bot_id=BOT),
        events.Stalled(bot_id=BOT, seconds=20.0),
        events.UpdateGap(bot_id=BOT, missed=1),
        events.WebhookCallGuarded(bot_id=BOT, answer="refused"),
        events.StoreTrouble(text="no space left."),
    ],
)
def test_the_same_trouble_is_told_once_in_five_minutes(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture, event: Event
) -> None:
    """A token is refused with every poll."""
    for _ in range(10):
        lines(event)
    clock.now += 300
    lines(event)

    assert len(told(caplog)) == 2


def test_that_no_more_webhooks_may_go_is_told_though_deletions_were(
    lines: LogLines, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each within five minutes; and a bot that has gone leaves nothing behind."""
    answers = ("deleted", "deleted", "deleted", "limit", "limit")
    for _ in range(2):
        tell(lines, *(events.WebhookCallGuarded(bot_id=BOT, answer=answer) for answer in answers))
        lines(events.BotGone(bot_id=BOT))

    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == [
        "WARNING",
        "ERROR",
        "WARNING",
        "ERROR",
    ]


def test_the_store_is_well_again_once(lines: LogLines, caplog: pytest.LogCaptureFixture) -> None:
    """Only after a trouble that was told."""
    trouble, well = events.StoreTrouble(text="no space left."), events.StoreTrouble(text="")
    tell(lines, well, trouble, trouble, well, well, trouble)

    assert told(caplog) == ["the store is in trouble", "the store is well again", "the store is in trouble"]


def test_a_bot_that_has_gone_is_forgotten(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """No reminder of it, and a new one of its name begins anew."""
    tell(lines, OPENED, events.BotGone(bot_id=BOT))
    clock.now += 300
    lines(BEAT)
    clock.now -= 299
    lines(OPENED)

    assert told(caplog) == ["conflict", "conflict"]


def test_ten_thousand_takeovers_are_twenty_lines_and_a_sum(
    lines: LogLines, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """The sum comes with whatever happens next."""
    caplog.set_level(logging.INFO)
    for bot_id in range(10_000):
        lines(polling(bot_id))
    assert len(caplog.records) == 20

    clock.now += 1
    lines(events.PollEnded(bot_id=BOT, outcome=Outcome.EMPTY, seconds=1.0))
    assert [record.getMessage() for record in caplog.records[20:]] == [
        "9980 more lines like these were held back: 9980 x polling (onepoller status)"
    ]


def test_the_end_of_the_process_is_told_in_any_flood(
    lines: LogLines, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the last line."""
    for bot_id in range(30):
        lines(polling(bot_id))
    told(caplog)
    lines(events.ProcessEnding(bot_id=BOT, reason="another instance polls"))

    assert told(caplog) == ["ending this process with exit code 75, as told"]


def test_fields_of_the_event_are_on_the_record(lines: LogLines, caplog: pytest.LogCaptureFixture) -> None:
    """Under one key, with the event's stable name, in types that JSON has."""
    lines(
        events.RoleChanged(
            bot_id=BOT, role=Role.POLLING, was=Role.STARTING, term=Term(7), cause=Cause.FREE, detail=""
        )
    )

    assert caplog.records[0].__dict__["onepoller"] == {
        "event": "role_changed",
        "bot_id": 42,
        "role": "polling",
        "was": "starting",
        "term": 7,
        "cause": "free",
        "holder_since": 0.0,
    }


def test_an_event_of_the_claim_keeps_both_names(
    lines: LogLines, caplog: pytest.LogCaptureFixture, me: Identity
) -> None:
    """Its own field is called `event` too."""
    lines(events.ClaimChanged(bot_id=BOT, event=ClaimEvent.LOST, term=Term(7), cause=Cause.SESSION, other=me))
    fields = caplog.records[0].__dict__["onepoller"]

    assert (fields["event"], fields["claim_event"]) == ("claim_changed", "lost")
    assert fields["other"] == "alpha pid 811 ('blue')"


def test_events_from_many_threads_are_all_told(lines: LogLines, caplog: pytest.LogCaptureFixture) -> None:
    """Guards call from their own threads."""
    threads = [
        threading.Thread(target=lines, args=(events.TokenRefused(bot_id=BotId(number)),))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told(caplog)) == 8
