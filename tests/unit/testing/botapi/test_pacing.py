"""When 409 answers are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onepoller.testing.botapi import Rules

if TYPE_CHECKING:
    from .conftest import Stage


def test_a_lone_poller_against_a_webhook_gets_every_other_409_late(stage: Stage) -> None:
    """Alternately at once and after 3 s."""
    stage.call("setWebhook", at=0, url="https://hook.example/")
    now, waits = 1.0, []
    for _ in range(4):
        poll = stage.poll(0, 30, at=now)
        stage.until(now + 3)
        answered_at, tag = stage.outcome(poll)
        assert tag == "W"
        waits.append(answered_at - now)
        now = answered_at

    assert waits == [0.0, 3.0, 0.0, 3.0]


def test_two_steady_pollers_settle_on_one_held_409_each_second_time(stage: Stage) -> None:
    """With equal retries one gets the immediate answers, the other the held ones."""
    held: dict[str, list[float]] = {"a": [], "b": []}
    due = [(0.0, "a"), (0.5, "b")]
    open_polls: dict[int, str] = {}
    while len(held["a"]) + len(held["b"]) < 12:
        now, poller = due.pop(0)
        open_polls[stage.poll(0, 30, at=now, poller=poller)] = poller
        stage.until(due[0][0] if due else now + 3)
        for connection in [number for number in open_polls if number in stage.answers]:
            name = open_polls.pop(connection)
            row = stage.row(connection)
            assert row.ended_at is not None
            assert row.evicted_at is not None
            held[name].append(row.ended_at - row.evicted_at)
            due.append((row.ended_at + 1, name))
        due.sort()

    waits = held["a"] + held["b"]
    assert sorted(waits) == [0.0] * 6 + [3.0] * 6


def test_the_naive_server_never_holds_a_409(stage: Stage) -> None:
    """A pause of 0 is what other test doubles do."""
    stage = type(stage)(rules=Rules(conflict_pause=0))
    polls = [stage.poll(0, 30, at=at) for at in (0, 1, 2)]

    assert stage.outcome(polls[0]) == (1.0, "G")
    assert stage.outcome(polls[1]) == (2.0, "G")


def test_a_held_409_is_sent_although_the_poll_s_deadline_passes(stage: Stage) -> None:
    """The victim may wait longer than its own timeout."""
    stage.poll(0, 30, at=0)
    second = stage.poll(0, 2, at=5)
    stage.poll(1, 30, at=6.9)
    stage.until(20)

    assert stage.outcome(second) == (9.9, "G")
