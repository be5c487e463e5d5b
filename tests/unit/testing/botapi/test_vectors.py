"""The twenty test vectors of the study of the published server, on virtual time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import Rules, arguments, http, paths, replies

if TYPE_CHECKING:
    from .conftest import Stage

HOOK = "https://hook.example/x"


def test_vector_1_the_parked_poll_is_evicted_and_the_newcomer_parks(stage: Stage) -> None:
    """The older of two polls gets the 409 at once."""
    first = stage.poll(0, 30, at=0)
    second = stage.poll(0, 30, at=5)

    assert stage.outcome(first) == (5.0, "G")
    assert stage.is_waiting(second)


def test_vector_2_a_second_409_within_3_s_is_held_for_3_s(stage: Stage) -> None:
    """The next 409 arrives three seconds late."""
    stage.poll(0, 30, at=0)
    second = stage.poll(0, 30, at=5)
    third = stage.poll(0, 30, at=6)
    stage.until(8.999)

    assert stage.is_waiting(second)

    stage.until(9.0)

    assert stage.outcome(second) == (9.0, "G")
    assert stage.row(third).parked_at == 6.0


def test_vector_3_after_3_s_a_409_is_immediate_again(stage: Stage) -> None:
    """A held 409 does not move the window."""
    stage.poll(0, 30, at=0)
    stage.poll(0, 30, at=5)
    third = stage.poll(0, 30, at=6)
    stage.poll(0, 30, at=10)

    assert stage.outcome(third) == (10.0, "G")


def test_vector_4_a_short_poll_with_another_offset_evicts_nobody(stage: Stage) -> None:
    """Timeout 0 is answered at once and leaves the parked poll alone."""
    first = stage.poll(0, 30, at=0)
    second = stage.poll(5, 0, at=4)

    assert stage.outcome(second) == (4.0, [])
    assert stage.is_waiting(first)


def test_vector_5_a_short_poll_that_repeats_the_offset_within_3_s_parks(stage: Stage) -> None:
    """Its timeout is raised to 3, so it evicts."""
    first = stage.poll(0, 30, at=0)
    second = stage.poll(0, 0, at=2)
    stage.until(5.0)

    assert stage.outcome(first) == (2.0, "G")
    assert stage.outcome(second) == (5.0, [])


def test_vector_6_a_short_poll_that_repeats_the_offset_later_evicts_nobody(stage: Stage) -> None:
    """Three seconds later it is a short poll again."""
    first = stage.poll(0, 30, at=0)
    second = stage.poll(0, 0, at=4)

    assert stage.outcome(second) == (4.0, [])
    assert stage.is_waiting(first)


def test_vector_7_polls_that_find_updates_share_without_any_409(stage: Stage) -> None:
    """Two pollers on a backlog get the same update; the first 409 comes when both have to park."""
    (update,) = stage.push(1, at=0)
    assert update is not None
    first = stage.poll(0, 30, at=1)
    second = stage.poll(0, 30, at=1.2)

    assert stage.outcome(first) == (1.0, [update])
    assert stage.outcome(second) == (1.2, [update])

    third = stage.poll(update + 1, 30, at=1.3)
    fourth = stage.poll(update + 1, 30, at=1.4)

    assert stage.outcome(third) == (1.4, "G")
    assert stage.is_waiting(fourth)


def test_vector_8_a_dead_poll_takes_the_undelayed_409_unseen(stage: Stage) -> None:
    """A closed connection is not noticed: its 409 is seen by nobody and makes the next one late."""
    first = stage.poll(0, 30, at=0)
    stage.api.closed(first, 1)
    second = stage.poll(0, 30, at=2)
    third = stage.poll(0, 30, at=3)
    stage.until(6)

    assert stage.is_waiting(first)
    assert (stage.row(first).how, stage.row(first).is_ghost) == ("conflict", True)
    assert stage.outcome(second) == (6.0, "G")
    assert stage.is_waiting(third)


def test_vector_9_a_webhook_evicts_and_then_refuses(stage: Stage) -> None:
    """S ends the parked poll; W answers what follows, in the same pacing."""
    first = stage.poll(0, 30, at=0)
    stage.call("setWebhook", at=1, url=HOOK)
    second = stage.poll(0, 30, at=1.5)
    stage.until(4.6)
    third = stage.poll(0, 30, at=5)

    assert stage.outcome(first) == (1.0, "S")
    assert stage.outcome(second) == (4.5, "W")
    assert stage.outcome(third) == (5.0, "W")


def test_vector_10_an_invalid_webhook_evicts_all_the_same(stage: Stage) -> None:
    """The address is looked at after the poll has been ended; polling works afterwards."""
    first = stage.poll(0, 30, at=0)
    setting = stage.call("setWebhook", at=1, url="ftp://x")
    third = stage.poll(0, 30, at=2)

    assert stage.outcome(first) == (1.0, "S")
    assert stage.outcome(setting) == (1.0, "Bad Request: invalid webhook URL specified")
    assert stage.row(third).parked_at == 2.0


def test_vector_11_delete_webhook_never_evicts(stage: Stage) -> None:
    """Not even with drop_pending_updates."""
    first = stage.poll(0, 30, at=0)
    deleting = stage.call("deleteWebhook", at=1, drop_pending_updates="true")

    assert stage.outcome(deleting) == (1.0, "Webhook is already deleted")
    assert stage.is_waiting(first)


def test_vector_12_a_negative_offset_keeps_the_newest(stage: Stage) -> None:
    """Offset -1 deletes all but the last update, for good."""
    a, b, c = stage.push(3, at=0)
    newest = stage.poll(-1, 0, at=1)
    again = stage.poll(0, 0, at=5)

    assert stage.outcome(newest) == (1.0, [c])
    assert stage.row(newest).confirmed == (a, b)
    assert stage.outcome(again) == (5.0, [c])


def test_vector_13_an_offset_up_to_10_ahead_is_believed(stage: Stage) -> None:
    """11 beyond the tail confirms nothing, 10 beyond it deletes everything."""
    a, b, c = stage.push(3, at=0)
    assert c is not None
    refused = stage.poll(c + 1 + 11, 0, at=1)
    believed = stage.poll(c + 1 + 10, 0, at=2)

    assert stage.outcome(refused) == (1.0, [a, b, c])
    assert stage.row(refused).confirmed == ()
    assert stage.outcome(believed) == (2.0, [])
    assert stage.row(believed).confirmed == (a, b, c)


def test_vector_14_a_call_confirms_even_if_its_answer_is_never_read(stage: Stage) -> None:
    """What is below the offset is gone when the call is processed."""
    a, b, c = stage.push(3, at=0)
    assert b is not None
    reading = stage.poll(b, 0, at=1)
    after = stage.poll(0, 0, at=5)

    assert stage.outcome(reading) == (1.0, [b, c])
    assert stage.row(reading).confirmed == (a,)
    assert stage.outcome(after) == (5.0, [b, c])


def test_vector_15_updates_within_a_millisecond_come_in_one_answer(stage: Stage) -> None:
    """The answer waits 1 ms after the last update, at most 2 ms after the first."""
    poll = stage.poll(0, 30, at=0)
    ids = [stage.push(1, at=at)[0] for at in (10.0, 10.0004, 10.0008)]
    stage.until(10.1)
    answered_at, given = stage.outcome(poll)

    assert given == ids
    assert answered_at == pytest.approx(10.0018)


def test_vector_16_the_filter_stays_until_it_is_given_anew(stage: Stage) -> None:
    """A call without allowed_updates keeps the filter; an empty list sets the default."""
    stage.poll(0, 0, at=0, allowed_updates='["message"]')
    stage.poll(0, 0, at=4)
    stage.push(1, at=5, kind="callback_query")

    assert stage.info(at=6)["pending_update_count"] == 0
    assert stage.info(at=6)["allowed_updates"] == ["message"]

    stage.poll(0, 0, at=8, allowed_updates="[]")
    stage.push(1, at=9, kind="callback_query")

    assert stage.info(at=10) == {"url": "", "has_custom_certificate": False, "pending_update_count": 1}


def test_vector_17_timeout_and_limit_are_clamped(stage: Stage) -> None:
    """600 seconds are 50, and 1000 updates are 100."""
    poll = stage.poll(0, 600, at=0)
    stage.until(60)
    stage.push(150, at=61)
    many = stage.call("getUpdates", at=62, limit=1000)

    assert stage.outcome(poll) == (50.0, [])
    assert len(stage.body(many)["result"]) == 100


FORM = b"offset=5&limit=7&timeout=0&allowed_updates=%5B%22message%22%5D"
MULTIPART = b"".join(
    b'--xx\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % part
    for part in (
        (b"offset", b"5"),
        (b"limit", b"7"),
        (b"timeout", b"0"),
        (b"allowed_updates", b'["message"]'),
    )
)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(
            b"POST /bot1:x/getUpdates HTTP/1.1\r\nContent-Type: application/json",
            b'{"offset":5,"limit":7,"timeout":0,"allowed_updates":["message"]}',
            id="POST JSON",
        ),
        pytest.param(
            b"POST /bot1:x/getUpdates HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
            FORM,
            id="POST form",
        ),
        pytest.param(
            b"POST /bot1:x/getUpdates HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=xx",
            MULTIPART + b"--xx--\r\n",
            id="POST multipart",
        ),
        pytest.param(b"GET /bot1:x/getUpdates?" + FORM + b" HTTP/1.1", b"", id="GET query"),
        pytest.param(
            b"GET /bot1:x/GetUpdates HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
            FORM,
            id="GET with a form body",
        ),
    ],
)
def test_vector_18_every_encoding_says_the_same(head: bytes, body: bytes) -> None:
    """JSON, form, multipart, query string and a body on GET give the same arguments."""
    raw = head + b"\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    request = http.Reader().feed(raw)
    assert request is not None
    path = paths.parse(request.target)
    assert isinstance(path, paths.Path)
    found = arguments.read(path.query, request.content_type, request.body)

    assert path.method.lower() == "getupdates"
    assert found.arguments == {"offset": "5", "limit": "7", "timeout": "0", "allowed_updates": '["message"]'}


def test_vector_18_put_is_refused_without_a_body() -> None:
    """PUT gives 501."""
    with pytest.raises(arguments.UnreadableError) as refused:
        http.Reader().feed(b"PUT /bot1:x/getUpdates HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")

    assert replies.bare(refused.value.status) == b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n"


def test_vector_19_a_second_webhook_within_a_second_is_429(stage: Stage) -> None:
    """Setting webhooks is limited to one a second."""
    stage.call("setWebhook", at=0, url=HOOK)
    second = stage.call("setWebhook", at=0.5, url=HOOK + "2")

    assert stage.body(second) == json.loads(replies.retry_after(1).body)


def test_vector_19_a_second_webhook_ends_an_unverified_first(stage: Stage) -> None:
    """The older setting is answered 409 S2."""
    stage = type(stage)(rules=Rules(webhook_close=0, webhook_verify=5))
    first = stage.call("setWebhook", at=0, url=HOOK)
    second = stage.call("setWebhook", at=1.5, url=HOOK + "2")
    stage.until(7)

    assert stage.outcome(first) == (1.5, "S2")
    assert stage.outcome(second) == (6.5, "Webhook was set")


def test_vector_20_a_button_press_is_gone_after_150_s(stage: Stage) -> None:
    """An expired update is never delivered."""
    stage.push(1, at=0, kind="callback_query")
    poll = stage.poll(0, 0, at=151)

    assert stage.outcome(poll) == (151.0, [])
