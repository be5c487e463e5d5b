"""getUpdates: what parks, what ends a parked poll, what a call takes. The vectors hold the main cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import NEWCOMER_REFUSED, Rules

if TYPE_CHECKING:
    from .conftest import Stage


def test_a_deadline_answers_an_empty_list_once(stage: Stage) -> None:
    """The poll ends, and does not park again."""
    poll = stage.poll(0, 10, at=0)
    stage.until(9.99)
    waiting = stage.is_waiting(poll)
    stage.until(10)

    assert waiting
    assert stage.outcome(poll) == (10.0, [])
    assert stage.api.next_event_at() is None


def test_an_update_wakes_the_parked_poll_after_1_ms(stage: Stage) -> None:
    """A single update waits one millisecond."""
    poll = stage.poll(0, 10, at=0)
    (update,) = stage.push(1, at=5)
    stage.until(6)

    assert stage.outcome(poll) == (5.001, [update])


def test_a_stream_of_updates_is_cut_2_ms_after_the_first(stage: Stage) -> None:
    """Later updates do not put the answer off for ever."""
    poll = stage.poll(0, 10, at=0)
    for step in range(4):
        stage.push(1, at=5 + step * 0.0007)
        stage.until(5 + step * 0.0007)
    stage.until(6)

    assert stage.outcome(poll)[0] == pytest.approx(5.002)
    assert len(stage.row(poll).update_ids) == 3


def test_an_update_does_not_put_off_the_deadline(stage: Stage) -> None:
    """The wake-up comes at the deadline at the latest."""
    poll = stage.poll(0, 10, at=0)
    (update,) = stage.push(1, at=9.9995)
    stage.until(11)

    assert stage.outcome(poll) == (10.0, [update])


def test_a_poll_parked_ahead_of_the_queue_deletes_what_arrives(stage: Stage) -> None:
    """An offset ahead by up to ten confirms updates that come later, unseen."""
    (old,) = stage.push(1, at=0)
    assert old is not None
    poll = stage.poll(old + 3, 30, at=1)
    (lost,) = stage.push(1, at=2)
    stage.until(3)

    assert stage.outcome(poll) == (2.001, [])
    assert stage.row(poll).confirmed == (old, lost)


def test_a_poll_parked_before_the_first_update_gets_it(stage: Stage) -> None:
    """Offset 0 on a queue that does not exist yet means its head later."""
    poll = stage.poll(0, 30, at=0)
    (update,) = stage.push(1, at=1)
    stage.until(2)

    assert stage.outcome(poll) == (1.001, [update])


@pytest.mark.parametrize("timeout", [0, 1, 2])
def test_a_repeated_offset_within_3_s_waits_3_s(stage: Stage, timeout: int) -> None:
    """Timeouts below 3 are raised."""
    stage.poll(0, 0, at=0)
    poll = stage.poll(0, timeout, at=1)
    stage.until(10)

    assert stage.outcome(poll) == (4.0, [])


def test_a_lone_short_poller_whose_calls_overlap_evicts_itself(stage: Stage) -> None:
    """A 409 with a single instance: its second call was raised to 3 s, its third evicts it."""
    stage.poll(0, 0, at=0)
    second = stage.poll(0, 0, at=1)
    stage.poll(0, 0, at=2)

    assert stage.outcome(second) == (2.0, "G")


def test_a_repeated_offset_after_3_s_is_short(stage: Stage) -> None:
    """Exactly three seconds are enough."""
    stage.poll(0, 0, at=0)
    poll = stage.poll(0, 0, at=3)

    assert stage.outcome(poll) == (3.0, [])


def test_a_repeated_offset_within_half_a_second_gets_one_update(stage: Stage) -> None:
    """Exactly half a second is enough for all of them."""
    stage.push(5, at=0)
    stage.poll(0, 0, at=1)
    hurried = stage.poll(0, 0, at=1.4)
    patient = stage.poll(0, 0, at=1.9)

    assert len(stage.row(hurried).update_ids) == 1
    assert len(stage.row(patient).update_ids) == 5


def test_another_offset_in_between_makes_a_call_short_again(stage: Stage) -> None:
    """Only the previous call counts."""
    stage.poll(0, 0, at=0)
    stage.poll(5, 0, at=0.1)
    poll = stage.poll(0, 0, at=0.2)

    assert stage.outcome(poll) == (0.2, [])


def test_the_first_call_with_offset_minus_1_repeats_nothing(stage: Stage) -> None:
    """The memory starts long ago, though with offset -1."""
    poll = stage.poll(-1, 0, at=0)

    assert stage.outcome(poll) == (0.0, [])


def test_a_poll_that_finds_updates_leaves_the_parked_one_alone(stage: Stage) -> None:
    """No 409 although both are long polls: both get the update."""
    parked = stage.poll(0, 30, at=0)
    ids = stage.push(1, at=1)
    finding = stage.poll(0, 30, at=1.0005)
    stage.until(2)

    assert stage.outcome(finding) == (1.0005, ids)
    assert stage.outcome(parked) == (1.001, ids)


def test_a_big_negative_offset_deletes_nothing(stage: Stage) -> None:
    """The queue is that short already."""
    ids = stage.push(2, at=0)
    poll = stage.poll(-5, 0, at=1)

    assert stage.outcome(poll) == (1.0, ids)
    assert stage.row(poll).confirmed == ()


def test_an_offset_of_2_to_the_32_minus_1_is_minus_1(stage: Stage) -> None:
    """The overflow wraps, and is destructive."""
    _, newest = stage.push(2, at=0)
    poll = stage.poll(4294967295, 0, at=1)

    assert stage.outcome(poll) == (1.0, [newest])


def test_a_peek_confirms_nothing(stage: Stage) -> None:
    """Offset 1 with limit 1 looks at the head and leaves all of it."""
    ids = stage.push(2, at=0)
    peek = stage.poll(1, 0, at=1, limit=1)
    after = stage.poll(0, 0, at=5)

    assert stage.outcome(peek) == (1.0, ids[:1])
    assert stage.outcome(after) == (5.0, ids)


@pytest.fixture
def refusing(stage: Stage) -> Stage:
    """Give a bot at the other server, which refuses the second of two polls."""
    return type(stage)(rules=NEWCOMER_REFUSED)


def test_a_newcomer_is_refused_while_the_parked_poll_is_young(refusing: Stage) -> None:
    """Each at once, however many there are; the parked one stays and gets the update."""
    parked = refusing.poll(0, 50, at=0)
    newcomers = [refusing.poll(1, 30, at=at) for at in (1.0, 1.5, 34.99)]
    (update,) = refusing.push(1, at=36)
    refusing.until(37)

    assert [refusing.outcome(poll) for poll in newcomers] == [(1.0, "G"), (1.5, "G"), (34.99, "G")]
    assert [refusing.row(poll).parked_at for poll in newcomers] == [None, None, None]
    assert refusing.outcome(parked) == (36.001, [update])


def test_a_newcomer_evicts_a_poll_that_has_been_parked_for_long(refusing: Stage) -> None:
    """From 35 s on the older one loses, as usual; then the newcomer is the one that is young."""
    old = refusing.poll(0, 50, at=0)
    newcomer = refusing.poll(1, 50, at=35)
    third = refusing.poll(0, 50, at=36)

    assert refusing.outcome(old) == (35.0, "G")
    assert refusing.is_waiting(newcomer)
    assert refusing.outcome(third) == (36.0, "G")


@pytest.mark.parametrize(("pushed", "timeout"), [(1, 30), (0, 0)])
def test_who_would_not_park_is_not_refused(refusing: Stage, pushed: int, timeout: int) -> None:
    """It finds updates, or does not wait: answered as always."""
    parked = refusing.poll(0, 30, at=0)
    ids = refusing.push(pushed, at=1)
    other = refusing.poll(1, timeout, at=1.0005)

    assert refusing.outcome(other) == (1.0005, ids)
    assert refusing.is_waiting(parked)


def test_a_refusal_does_not_start_the_pause(stage: Stage) -> None:
    """Where 409s are paced, one that refuses counts for nothing: the next eviction is told at once."""
    stage = type(stage)(rules=Rules(newcomer_refused=5))
    old = stage.poll(0, 50, at=0)
    refused = stage.poll(1, 50, at=4.5)
    stage.poll(2, 50, at=5)

    assert stage.outcome(refused) == (4.5, "G")
    assert stage.outcome(old) == (5.0, "G")


def test_a_refusal_is_not_held_by_the_pause(stage: Stage) -> None:
    """An eviction has just been told: the newcomer is refused at once all the same."""
    stage = type(stage)(rules=Rules(newcomer_refused=5))
    stage.poll(0, 50, at=0)
    stage.poll(1, 50, at=5)
    refused = stage.poll(2, 50, at=6)

    assert stage.outcome(refused) == (6.0, "G")
