"""The update queue: ids, offsets, expiry, caps, and a naive model that it must agree with."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onepoller.testing.botapi import tqueue
from onepoller.testing.botapi.tqueue import UpdateQueue

FOREVER = 10**10


def filled(count: int, *, size: int = 2) -> UpdateQueue:
    """Give a queue with so many updates."""
    queue = UpdateQueue(Random(1))
    for _ in range(count):
        queue.push("x" * size, expires_at=FOREVER)
    return queue


def ids(fetched: tqueue.Fetched) -> list[int]:
    """Give the ids that were found."""
    return [update.id for update in fetched.updates]


def test_first_id_is_random_and_the_next_ones_follow() -> None:
    """Ids start within the server's range and grow by one."""
    queue = UpdateQueue(Random(1))
    first = queue.push("a", expires_at=FOREVER)
    second = queue.push("b", expires_at=FOREVER)

    assert first is not None
    assert 2_000_001 <= first <= 1_000_000_000
    assert second == first + 1


def test_a_queue_that_never_had_an_update_gives_nothing() -> None:
    """Head and tail are 0 and no offset matters."""
    queue = UpdateQueue(Random(1))

    assert (queue.head, queue.tail) == (0, 0)
    assert queue.fetch(5, limit=100, now=0) == tqueue.NOTHING


@pytest.mark.parametrize(
    ("offset", "believed"),
    [
        pytest.param(lambda q: q.tail + 10, True, id="ten beyond the tail is believed"),
        pytest.param(lambda q: q.tail + 11, False, id="eleven beyond the tail is not"),
        pytest.param(lambda q: q.head - 100_000, True, id="100000 below the head is believed"),
        pytest.param(lambda q: q.head - 100_001, False, id="100001 below the head is not"),
        pytest.param(lambda _: 2_000_000_000, False, id="the end of the numbers is not"),
        pytest.param(lambda q: q.head, True, id="the head is"),
    ],
)
def test_offset_sanity(offset: object, *, believed: bool) -> None:
    """An offset is believed within a window around the queue."""
    queue = filled(3)
    assert callable(offset)

    assert queue.is_believed(offset(queue)) is believed


def test_an_offset_below_the_head_confirms_nothing() -> None:
    """Neither a believed nor a refused one."""
    queue = filled(3)

    assert queue.fetch(1, limit=1, now=0).confirmed == ()
    assert queue.fetch(queue.head - 5, limit=100, now=0).confirmed == ()
    assert len(queue) == 3


def test_the_last_number_starts_a_new_series() -> None:
    """At two thousand million the queue is emptied and a new first id is drawn."""
    queue = filled(3)
    queue._tail = tqueue.LAST_ID
    new = queue.push("x", expires_at=FOREVER)

    assert new is not None
    assert new <= 1_000_000_000
    assert len(queue) == 1


def test_an_update_lives_through_the_second_of_its_expiry() -> None:
    """It is dropped when the expiry is before now, not when it is now."""
    queue = UpdateQueue(Random(1))
    update = queue.push("x", expires_at=100)

    assert ids(queue.fetch(queue.head, limit=1, now=100)) == [update]
    assert ids(queue.fetch(queue.head, limit=1, now=101)) == []
    assert len(queue) == 0


def test_expired_updates_beyond_the_limit_stay_until_they_are_met() -> None:
    """A fetch that is full does not look further."""
    queue = filled(1)
    queue.push("x", expires_at=1)

    assert len(queue.fetch(queue.head, limit=1, now=50).updates) == 1
    assert len(queue) == 2


def test_the_collector_drops_what_has_expired() -> None:
    """Also behind living updates."""
    queue = filled(1)
    queue.push("x", expires_at=1)
    queue.collect(50)

    assert len(queue) == 1


def test_an_answer_stops_at_4_mib() -> None:
    """Each update costs its length and 50; the one that exhausts the budget is left out."""
    size = 500_000
    queue = filled(10, size=size)
    fetched = queue.fetch(queue.head, limit=100, now=0)

    assert len(fetched.updates) == (4 << 20) // (size + 50) == 8
    assert len(queue) == 10


def test_an_answer_that_costs_exactly_4_mib_is_cut() -> None:
    """The budget must not reach zero."""
    queue = filled(8, size=(4 << 20) // 8 - 50)

    assert len(queue.fetch(queue.head, limit=100, now=0).updates) == 7


@pytest.mark.parametrize(
    ("cap", "value"),
    [
        pytest.param("MOST_UPDATES", 3, id="number of updates"),
        pytest.param("MOST_BYTES", 6, id="bytes"),
        pytest.param("LARGEST_UPDATE", 1, id="size of one"),
    ],
)
def test_a_full_queue_loses_the_newest(monkeypatch: pytest.MonkeyPatch, cap: str, value: int) -> None:
    """The caps drop what comes, silently, and use no id."""
    queue = filled(3)
    monkeypatch.setattr(tqueue, cap, value)
    tail = queue.tail

    assert queue.push("xx", expires_at=FOREVER) is None
    assert queue.tail == tail


def test_the_caps_are_the_server_s() -> None:
    """100 000 updates, 128 MiB, 512 KiB each."""
    assert (tqueue.MOST_UPDATES, tqueue.MOST_BYTES, tqueue.LARGEST_UPDATE) == (100_000, 134_217_728, 524_288)


def test_the_list_has_a_newline_behind_each_id() -> None:
    """Byte for byte as the server writes it."""
    updates = [tqueue.Update(id=n, text=f'"message":{n}', expires_at=0) for n in (5, 6)]

    expected = '[{"update_id":5,\n"message":5},{"update_id":6,\n"message":6}]'
    assert tqueue.updates_json(updates) == expected


@dataclass
class Model:
    """The queue as a dictionary, without any care for speed."""

    waiting: dict[int, int] = field(default_factory=dict)  # id to expiry
    tail: int = 0

    def push(self, update_id: int, expires_at: int) -> None:
        """Take an update in."""
        self.waiting[update_id] = expires_at
        self.tail = update_id + 1

    def fetch(self, offset: int, limit: int, now: int) -> tuple[list[int], list[int]]:
        """Give what a fetch finds and what it confirms."""
        head = min(self.waiting, default=self.tail)
        if not self.tail:
            return [], []
        believed = head - 100_000 <= offset <= self.tail + 10 and offset < 2_000_000_000
        start = offset if believed else head
        confirmed = [update for update in self.waiting if update < start] if believed else []
        for update in confirmed:
            del self.waiting[update]
        found: list[int] = []
        for update in sorted(self.waiting):
            if len(found) == limit:
                break
            if self.waiting[update] < now:
                del self.waiting[update]
            else:
                found.append(update)
        return found, confirmed


STEPS = st.one_of(
    st.tuples(st.just("push"), st.integers(0, 30)),
    st.tuples(st.just("fetch"), st.integers(-15, 15), st.integers(1, 5)),
    st.tuples(st.just("far"), st.sampled_from([1, 2_000_000_000, 2_147_483_647]), st.integers(1, 5)),
    st.tuples(st.just("keep"), st.integers(0, 4)),
    st.tuples(st.just("time"), st.integers(1, 20)),
)


@given(st.lists(STEPS, max_size=40))
def test_agrees_with_the_naive_model(steps: list[tuple[object, ...]]) -> None:
    """Whatever is pushed, fetched and forgotten, the queue does what the dictionary does."""
    queue, model, now = UpdateQueue(Random(3)), Model(), 0
    for name, *numbers in steps:
        first, *rest = [int(str(number)) for number in numbers]
        if name == "push":
            update = queue.push("x", expires_at=now + first)
            assert update is not None
            model.push(update, now + first)
        elif name == "keep":
            surplus = sorted(model.waiting)[: max(len(model.waiting) - first, 0)]
            assert queue.keep_newest(first) == tuple(surplus)
            for update in surplus:
                del model.waiting[update]
        elif name == "time":
            now += first
        else:
            offset = first if name == "far" else queue.tail + first
            fetched = queue.fetch(offset, limit=rest[0], now=now)
            assert (ids(fetched), list(fetched.confirmed)) == model.fetch(offset, rest[0], now)
        assert len(queue) == len(model.waiting)
