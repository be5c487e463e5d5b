"""The ledger: what each event changes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, Certainty, ClaimEvent, Dropped, Event, Outcome
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role
from onepoller.metrics import Ledger, catalogue
from onepoller.metrics.catalogue import METRICS, Labels, Level, Metric, Type

BOT = BotId(42)
TERM = Term(7)


def seen(ledger: Ledger, *happened: Event) -> dict[Metric, dict[Labels, float]]:
    """Tell the ledger of a bot and what happened, and give the numbers of the process."""
    for event in (events.BotSeen(bot_id=BOT), *happened):
        ledger(event)
    return ledger.read().process()


def claim(event: ClaimEvent, *, term: Term = TERM) -> events.ClaimChanged:
    """Make an event of the claim."""
    return events.ClaimChanged(bot_id=BOT, event=event, term=term, cause=Cause.FREE)


def role(now: Role, *, was: Role = Role.STARTING) -> events.RoleChanged:
    """Make a change of role."""
    return events.RoleChanged(bot_id=BOT, role=now, was=was)


def poll(
    outcome: Outcome, *, seconds: float = 1.0, updates: int = 0, timeout: float = 0.0
) -> events.PollEnded:
    """Make a poll that took a second."""
    return events.PollEnded(bot_id=BOT, outcome=outcome, seconds=seconds, updates=updates, timeout=timeout)


def opened(kind: Kind) -> events.EpisodeOpened:
    """Make the beginning of an episode."""
    return events.EpisodeOpened(bot_id=BOT, kind=kind, policy="hold")


def closed(kind: Kind, resolution: str) -> events.EpisodeClosed:
    """Make the end of an episode."""
    return events.EpisodeClosed(bot_id=BOT, kind=kind, resolution=resolution, seconds=20.0, conflicts=3)


def sure(certainty: Certainty) -> events.CertaintyChanged:
    """Make a change of certainty of five claims."""
    return events.CertaintyChanged(certainty=certainty, was=Certainty.HELD, claims=5)


def test_every_counter_is_zero_before_anything_happens(ledger: Ledger) -> None:
    """A counter that appears with its first event hides it from increase()."""
    numbers = ledger.read().process()
    counters = [m for m in METRICS if m.type is Type.COUNTER and m.level is Level.PROCESS]

    assert {m.name: numbers[m] for m in counters} == {m.name: dict.fromkeys(m.values, 0) for m in counters}


@pytest.mark.parametrize(
    ("happened", "metric", "labels", "value"),
    [
        ([role(Role.STANDBY)], catalogue.BOTS, ("standby",), 1),
        ([role(Role.STANDBY)], catalogue.BOTS, ("starting",), 0),
        ([claim(ClaimEvent.DENIED)], catalogue.CLAIM_EVENTS, ("denied",), 1),
        ([poll(Outcome.TIMEOUT)], catalogue.POLLS, ("timeout",), 1),
        ([poll(Outcome.UPDATES, updates=3)], catalogue.UPDATES_RECEIVED, (), 3),
        (
            [poll(Outcome.EMPTY, timeout=10.0), poll(Outcome.EMPTY, timeout=4.0)],
            catalogue.POLL_TIMEOUT,
            (),
            10.0,
        ),
        (
            [events.UpdatesDropped(bot_id=BOT, count=4, reason=Dropped.STALE_OWNER)],
            catalogue.UPDATES_DROPPED,
            ("stale_owner",),
            4,
        ),
        ([events.UpdateGap(bot_id=BOT, missed=5)], catalogue.UPDATE_GAPS, (), 1),
        ([events.UpdateGap(bot_id=BOT, missed=5)], catalogue.UPDATES_MISSED, (), 5),
        ([events.UpdateGap(bot_id=BOT, repeated=2)], catalogue.UPDATES_REPEATED, (), 2),
        (
            [events.ConflictSeen(bot_id=BOT, kind=Kind.GHOST, seconds=0.1)],
            catalogue.CONFLICT_REPLIES,
            ("ghost",),
            1,
        ),
        ([opened(Kind.RIVAL)], catalogue.CONFLICTS, ("rival",), 1),
        ([opened(Kind.RIVAL)], catalogue.CONFLICTS_OPEN, ("rival",), 1),
        ([opened(Kind.RIVAL), closed(Kind.RIVAL, "rival_gone")], catalogue.CONFLICTS_OPEN, ("rival",), 0),
        ([closed(Kind.PEER, "stood_by")], catalogue.CONFLICT_RESOLUTIONS, ("peer", "stood_by"), 1),
        ([closed(Kind.PEER, "new_way")], catalogue.CONFLICT_RESOLUTIONS, ("peer", "new_way"), 1),
        ([events.Stalled(bot_id=BOT, seconds=20.0)], catalogue.STALLS, (), 1),
        ([events.TokenRefused(bot_id=BOT)] * 2, catalogue.TOKENS_REFUSED, (), 1),
        (
            [events.WebhookCallGuarded(bot_id=BOT, answer="refused")],
            catalogue.WEBHOOK_CALLS,
            ("refused",),
            1,
        ),
        ([events.BeatEnded(seconds=0.1, error="away")], catalogue.HEARTBEATS, (), 1),
        ([events.BeatEnded(seconds=0.1, error="away")], catalogue.HEARTBEAT_FAILURES, (), 1),
        ([events.StoreCalled(operation="swap", seconds=0.1)], catalogue.STORE_REQUESTS, ("swap",), 1),
        ([events.StoreCalled(operation="swap", seconds=0.1)], catalogue.STORE_FAILURES, ("swap",), 0),
        ([events.StoreCalled(operation="fly", seconds=0.1)], catalogue.STORE_REQUESTS, ("fly",), 1),
        (
            [events.StoreCalled(operation="swap", seconds=0.1, error="full")],
            catalogue.STORE_FAILURES,
            ("swap",),
            1,
        ),
        ([events.StoreTrouble(text="full")], catalogue.STORE_TROUBLE, (), 1),
        ([events.StoreTrouble(text="full"), events.StoreTrouble(text="")], catalogue.STORE_TROUBLE, (), 0),
        ([events.SessionOpened(session="s", store="file", lease=10.0)], catalogue.LEASE_TTL, (), 10.0),
        ([events.SessionOpened(session="s", store="file", lease=10.0)], catalogue.SESSIONS_OPENED, (), 1),
        ([events.SessionLost(reason="ended")], catalogue.SESSIONS_LOST, (), 1),
        ([claim(ClaimEvent.ACQUIRED)], catalogue.CLAIMS, ("held",), 1),
        ([claim(ClaimEvent.ACQUIRED), sure(Certainty.UNCERTAIN)], catalogue.CLAIMS, ("uncertain",), 1),
        ([claim(ClaimEvent.ACQUIRED), sure(Certainty.UNCERTAIN)], catalogue.CLAIMS, ("held",), 0),
        ([sure(Certainty.LOST), claim(ClaimEvent.EXPIRED)], catalogue.CLAIMS, ("lost",), 5),
        ([sure(Certainty.LOST), sure(Certainty.HELD)], catalogue.CLAIMS, ("lost",), 0),
    ],
)
def test_an_event_is_counted(
    ledger: Ledger, happened: list[Event], metric: Metric, labels: Labels, value: float
) -> None:
    """Each event moves the numbers that it should."""
    assert seen(ledger, *happened)[metric][labels] == value


@pytest.mark.parametrize(
    ("event", "metric", "labels", "values"),
    [
        (poll(Outcome.CONFLICT, seconds=0.5), catalogue.POLL_DURATION, ("conflict",), (1, 0.5)),
        (poll(Outcome.NETWORK_ERROR), catalogue.POLL_DURATION, ("failed",), (1, 1.0)),
        (poll(Outcome.EMPTY, seconds=10.5, timeout=10.0), catalogue.POLL_OVERRUN, (), (1, 0.5)),
        (poll(Outcome.EMPTY, seconds=9.0, timeout=10.0), catalogue.POLL_OVERRUN, (), (1, 0.0)),
        (poll(Outcome.EMPTY), catalogue.POLL_OVERRUN, (), (0, 0.0)),
        (
            events.FirstPollEnded(bot_id=BOT, seconds=0.25, cause=Cause.DIED),
            catalogue.TAKEOVER_DURATION,
            ("died",),
            (1, 0.25),
        ),
        (closed(Kind.RIVAL, "rival_gone"), catalogue.CONFLICT_DURATION, (), (1, 20.0)),
        (events.BeatEnded(seconds=0.1, margin=0.6), catalogue.HEARTBEAT_MARGIN, (), (1, 0.6)),
        (events.BeatEnded(seconds=0.1, error="away"), catalogue.HEARTBEAT_MARGIN, (), (0, 0.0)),
        (events.StoreCalled(operation="read", seconds=0.5), catalogue.STORE_DURATION, ("read",), (1, 0.5)),
    ],
)
def test_a_duration_is_observed(
    ledger: Ledger, event: Event, metric: Metric, labels: Labels, values: tuple[int, float]
) -> None:
    """Each duration lands in its histogram, once."""
    ledger(event)
    histogram = ledger.read().histograms[metric][labels]

    assert (histogram.buckets()[-1][1], histogram.total) == values


def test_a_cancelled_poll_has_no_duration(ledger: Ledger) -> None:
    """How long a caller let a poll run says nothing of Telegram."""
    ledger(poll(Outcome.CANCELLED))

    assert [h.total for h in ledger.read().histograms[catalogue.POLL_DURATION].values()] == [0.0] * 4


def test_the_store_is_named_by_its_kind_alone(ledger: Ledger) -> None:
    """An address may hold a password, which must not become a label."""
    opened = events.SessionOpened(session="s", store="redis://user:password@host/0", lease=10.0)

    assert seen(ledger, opened)[catalogue.STORE] == {("redis",): 1}


def test_a_claim_is_held_from_when_it_was_got(ledger: Ledger, clock: SimpleNamespace) -> None:
    """The first moment counts, and the term is the last one known."""
    seen(ledger, claim(ClaimEvent.ACQUIRED))
    got = clock.now
    clock.now += 5
    ledger(role(Role.POLLING))
    (bot,) = ledger.read().bots

    assert (bot.held, bot.held_since, bot.term, bot.acquisitions) == (1, got, TERM, 1)


@pytest.mark.parametrize(
    "event",
    [ClaimEvent.DENIED, ClaimEvent.RELEASED, ClaimEvent.HANDED_OVER, ClaimEvent.LOST, ClaimEvent.EXPIRED],
)
def test_a_claim_that_has_gone_is_not_held(ledger: Ledger, event: ClaimEvent) -> None:
    """However it went."""
    seen(ledger, claim(ClaimEvent.TAKEN_OVER), claim(event))
    (bot,) = ledger.read().bots

    assert (bot.held, bot.held_since) == (0, 0.0)


def test_a_bot_that_was_stopped_holds_nothing(ledger: Ledger) -> None:
    """Whatever became of the claim, the user has stopped polling."""
    seen(ledger, claim(ClaimEvent.ACQUIRED), role(Role.STOPPED, was=Role.POLLING))

    assert ledger.read().bots[0].held == 0


def test_a_role_tells_the_term_where_it_knows_one(ledger: Ledger) -> None:
    """A standby sees the terms of others."""
    seen(ledger, replace(role(Role.STANDBY), term=Term(9)), role(Role.STARTING))

    assert ledger.read().bots[0].term == 9


def test_standby_is_counted_in_seconds_while_it_lasts(ledger: Ledger, clock: SimpleNamespace) -> None:
    """A read in the middle sees the time so far; afterwards it stands still."""
    seen(ledger, role(Role.STANDBY))
    clock.now += 3
    assert ledger.read().bots[0].standby_seconds == 3
    clock.now += 4
    ledger(role(Role.POLLING, was=Role.STANDBY))
    clock.now += 100

    assert ledger.read().bots[0].standby_seconds == 7


def test_what_is_counted_later_counts_as_of_when_it_happened(ledger: Ledger, clock: SimpleNamespace) -> None:
    """Roles, the beginning of a term, and the last good poll."""
    ledger(events.BotSeen(bot_id=BOT))
    ledger(role(Role.STANDBY))
    clock.now += 3
    took = clock.now
    ledger(role(Role.POLLING, was=Role.STANDBY))
    clock.now += 4
    polled = clock.now
    ledger(poll(Outcome.EMPTY))
    clock.now += 100

    (bot,) = ledger.read().bots
    assert (bot.standby_seconds, bot.held_since, bot.last_poll) == (3, took, polled)


@pytest.mark.parametrize("last", ["a heartbeat", "too many"])
def test_what_is_noted_is_not_kept_for_long(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Where nobody reads, a heartbeat counts it, or one more event than there are in a takeover."""
    if last == "too many":
        monkeypatch.setattr("onepoller.metrics.ledger.TOGETHER", 3)
    for event in (events.BotSeen(bot_id=BOT), poll(Outcome.EMPTY)):
        ledger(event)
    assert len(ledger._noted) == 2

    ledger(events.BeatEnded(seconds=0.1, margin=0.5) if last == "a heartbeat" else poll(Outcome.EMPTY))

    assert not ledger._noted


def test_a_good_poll_is_remembered_when_the_claim_goes(ledger: Ledger, clock: SimpleNamespace) -> None:
    """`max by (bot_id)` needs the last value of every process."""
    seen(ledger, poll(Outcome.EMPTY))
    good = clock.now
    clock.now += 60
    for event in (poll(Outcome.CONFLICT), claim(ClaimEvent.LOST)):
        ledger(event)

    assert ledger.read().bots[0].last_poll == good


@pytest.mark.parametrize(
    ("happened", "problems"),
    [
        ([claim(ClaimEvent.ACQUIRED)], ()),
        ([opened(Kind.RIVAL)], ("rival",)),
        ([opened(Kind.UNKNOWN)], ("rival",)),
        ([opened(Kind.WEBHOOK_SET)], ("webhook",)),
        ([opened(Kind.PEER)], ()),
        ([events.TokenRefused(bot_id=BOT)], ("unauthorized",)),
        ([events.TokenRefused(bot_id=BOT), poll(Outcome.CONFLICT)], ("unauthorized",)),
        ([events.TokenRefused(bot_id=BOT), poll(Outcome.EMPTY)], ()),
        ([events.Stalled(bot_id=BOT, seconds=20.0)], ("stalled",)),
        ([events.Stalled(bot_id=BOT, seconds=20.0), role(Role.STANDBY)], ("stalled",)),
        ([events.Stalled(bot_id=BOT, seconds=20.0), role(Role.POLLING)], ()),
        ([events.Stalled(bot_id=BOT, seconds=20.0), poll(Outcome.TIMEOUT)], ()),
    ],
)
def test_a_bot_has_the_problems_that_it_has(
    ledger: Ledger, happened: list[Event], problems: tuple[str, ...]
) -> None:
    """A problem ends with the event that shows its end, and with no other."""
    seen(ledger, *happened)

    assert ledger.read().problems() == [("42", problem) for problem in problems]


@pytest.mark.parametrize(("silent_for", "is_stale"), [(60.0, False), (60.5, True)])
def test_a_holder_is_stale_after_three_timeouts_and_thirty_seconds(
    ledger: Ledger, clock: SimpleNamespace, silent_for: float, *, is_stale: bool
) -> None:
    """The same limit as in the alert rules."""
    seen(ledger, claim(ClaimEvent.ACQUIRED), poll(Outcome.EMPTY, timeout=10.0))
    clock.now += silent_for

    assert ledger.read().process()[catalogue.BOTS_WITH_PROBLEM][("stale_poll",)] == int(is_stale)


def test_problems_are_shown_for_two_hundred_bots_and_counted_for_all(ledger: Ledger) -> None:
    """A fleet in trouble must not multiply its series."""
    for number in range(250):
        ledger(events.BotSeen(bot_id=BotId(number)))
        ledger(events.Stalled(bot_id=BotId(number), seconds=20.0))
        ledger(events.TokenRefused(bot_id=BotId(number)))
    reading = ledger.read()

    assert len(reading.problems()) == 400
    assert reading.process()[catalogue.BOTS_WITH_PROBLEM][("stalled",)] == 250


def test_a_bot_that_has_gone_is_gone(ledger: Ledger) -> None:
    """A late event of its does not bring it back, and counts for the process."""
    numbers = seen(ledger, events.BotGone(bot_id=BOT), poll(Outcome.EMPTY))

    assert ledger.read().bots == ()
    assert numbers[catalogue.POLLS][("empty",)] == 1


def test_a_second_guard_of_a_bot_changes_nothing(ledger: Ledger) -> None:
    """What is known of the bot stays."""
    seen(ledger, poll(Outcome.EMPTY), events.BotSeen(bot_id=BOT))

    assert ledger.read().bots[0].polls == 1


@pytest.mark.parametrize(("bots", "detail"), [(2, Level.FULL), (3, Level.CORE)])
def test_the_level_of_detail_follows_the_number_of_bots(bots: int, detail: Level) -> None:
    """It is chosen at each reading, and told."""
    ledger = Ledger(full_up_to=2)
    for number in range(bots):
        ledger(events.BotSeen(bot_id=BotId(number)))
    reading = ledger.read()

    assert reading.detail is detail
    assert reading.process()[catalogue.DETAIL_LEVEL] == {
        ("full",): int(detail is Level.FULL),
        ("core",): int(detail is Level.CORE),
    }


@pytest.fixture
def _threads_that_change_all_the_time() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_that_change_all_the_time")
def test_no_count_is_lost_between_threads(ledger: Ledger) -> None:
    """Increments from several threads are exact."""
    seen(ledger)
    event = events.UpdateGap(bot_id=BOT, missed=2)

    def count() -> None:
        for _ in range(3000):
            ledger(event)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ledger.read().process()[catalogue.UPDATES_MISSED][()] == 24_000


@pytest.mark.parametrize(
    ("happened", "is_ready"),
    [([], False), ([role(Role.STARTING)], False), ([role(Role.STANDBY)], True), ([role(Role.POLLING)], True)],
)
def test_a_process_is_initialised_once_a_bot_has_started(
    ledger: Ledger, happened: list[Event], *, is_ready: bool
) -> None:
    """Standby is started."""
    seen(ledger, *happened)

    assert ledger.is_initialised is is_ready
