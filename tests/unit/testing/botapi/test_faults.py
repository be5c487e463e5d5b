"""Injected faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import Cut, Fault, Reply, faults, replies

from .conftest import BOT

if TYPE_CHECKING:
    from .conftest import Stage


def test_a_fault_answers_the_next_calls_and_touches_nothing(stage: Stage) -> None:
    """So many times, then the rules are back; the parked poll stays, nothing is confirmed."""
    parked = stage.poll(0, 50, at=0)
    stage.api.inject(BOT, Fault(answer=replies.error(500, "x"), times=2))
    faulty = [stage.poll(9, 30, at=at) for at in (1, 2)]
    good = stage.poll(9, 0, at=3)

    assert [stage.outcome(poll)[1] for poll in faulty] == ["x", "x"]
    assert stage.outcome(good) == (3.0, [])
    assert stage.is_waiting(parked)
    assert [stage.row(poll).how for poll in faulty] == ["fault", "fault"]


def test_a_fault_is_for_one_method_and_one_poller(stage: Stage) -> None:
    """Others are served by the rules."""
    stage.api.inject(BOT, Fault(answer=replies.error(500, "x"), method="getme", poller="a"))

    assert stage.outcome(stage.call("getMe", at=1, poller="a"))[1] == "x"
    stage.api.inject(BOT, Fault(answer=replies.error(500, "x"), method="getme", poller="a"))
    assert stage.row(stage.call("getMe", at=2, poller="b")).how == "ok"
    assert stage.row(stage.poll(0, 0, at=3, poller="a")).how == "empty"


def test_faults_can_be_cleared(stage: Stage) -> None:
    """They are forgotten."""
    stage.api.inject(BOT, Fault(answer=Cut.RESET))
    stage.api.faults.clear(BOT)

    assert stage.outcome(stage.poll(0, 0, at=1)) == (1.0, [])


def test_a_call_that_hangs_ends_when_its_client_goes(stage: Stage) -> None:
    """It is never answered."""
    stage.api.inject(BOT, Fault(answer=Cut.HANG))
    hung = stage.poll(0, 1, at=0)
    stage.until(100)
    was_open = stage.row(hung).is_open
    stage.api.closed(hung, 101)

    assert stage.is_waiting(hung)
    assert was_open
    assert stage.row(hung).closed_at == 101


@pytest.mark.parametrize("cut", [Cut.CLOSE, Cut.SHORT, Cut.RESET])
def test_a_cut_connection_is_told_to_the_carrier(stage: Stage, cut: Cut) -> None:
    """The carrier cuts it."""
    stage.api.inject(BOT, Fault(answer=cut))

    assert stage.answers[stage.poll(0, 1, at=0)].reply is cut


def test_a_short_answer_declares_more_than_it_has() -> None:
    """Its head is whole, its body breaks off."""
    head, _, body = replies.wire_short(replies.EMPTY).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(replies.EMPTY.body)}".encode() in head
    assert 0 < len(body) < len(replies.EMPTY.body)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "flood_429", "retry_after": 7}, replies.retry_after(7)),
        ({"kind": "reset"}, Cut.RESET),
        ({"status": 418}, replies.error(418, "Injected fault")),
        ({"status": 502, "body": "<b>"}, Reply(status=502, body=b"<b>", content_type="text/html")),
        ({"status": 200, "body": "{}"}, Reply(status=200, body=b"{}")),
    ],
)
def test_faults_by_their_fields(fields: dict[str, object], expected: object) -> None:
    """A name, or a status with a body."""
    assert faults.answer_of(fields) == expected


@pytest.mark.parametrize("fields", [{"kind": "nothing"}, {}])
def test_unknown_faults_are_refused(fields: dict[str, object]) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match="fault"):
        faults.answer_of(fields)


def test_both_shapes_of_502_have_a_name() -> None:
    """A gateway's page, and JSON."""
    html, json = faults.NAMED["html_502"], faults.NAMED["json_502"]

    assert isinstance(html, Reply)
    assert isinstance(json, Reply)
    assert (html.status, html.content_type) == (502, "text/html")
    assert json.body == b'{"ok":false,"error_code":502,"description":"Bad Gateway"}'
