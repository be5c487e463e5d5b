"""Start-up calls judged: the answer, the event, and how long the store is waited for."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from typing import Any

import pytest

from onepoller.coordination import bootstrap
from onepoller.coordination.events import WebhookCallGuarded
from onepoller.coordination.identity import BotId
from onepoller.coordination.settings import OnWebhook
from onepoller.coordination.webhook import Deletions

BOT = BotId(42)
DONE = (200, b'{"ok":true,"result":true,"description":"Webhook is already deleted"}')
HOOK = "https://bot.example.org/s3cret"


def told(answer: str, detail: str = "") -> WebhookCallGuarded:
    """Give the event of an answer."""
    return WebhookCallGuarded(bot_id=BOT, answer=answer, detail=detail)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(
            {}, bootstrap.Ruling(answer=DONE, events=(told("already_deleted"),)), id="nothing to delete"
        ),
        pytest.param({"drop": True}, bootstrap.Ruling(), id="alone, updates are dropped"),
        pytest.param(
            {"drop": True, "has_peer": True},
            bootstrap.Ruling(answer=DONE, events=(told("drop_skipped"),)),
            id="a peer",
        ),
        pytest.param({"url": HOOK, "policy": OnWebhook.DELETE}, bootstrap.Ruling(), id="allowed"),
        pytest.param(
            {"url": HOOK, "policy": OnWebhook.DELETE, "drop": True, "has_peer": True},
            bootstrap.Ruling(is_undropped=True, events=(told("drop_skipped", "bot.example.org"),)),
            id="allowed, beside a peer",
        ),
    ],
)
def test_what_becomes_of_a_call(case: dict[str, Any], expected: bootstrap.Ruling) -> None:
    """Answered, sent, or sent without its drop; and what is told."""
    facts: dict[str, Any] = {"url": "", "drop": False, "has_peer": False, "policy": OnWebhook.REFUSE} | case

    assert bootstrap.rule(BOT, **facts) == expected


def test_a_refusal_is_a_bot_api_error_that_names_host_and_switch() -> None:
    """Every framework shows its description; the path of the webhook, a secret, is not in it."""
    ruling = bootstrap.rule(BOT, url=HOOK, drop=False, has_peer=False, policy=OnWebhook.REFUSE)

    assert ruling.answer is not None
    status, body = ruling.answer
    assert (status, ruling.events, json.loads(body)) == (
        400,
        (told("refused", "bot.example.org"),),
        {
            "ok": False,
            "error_code": 400,
            "description": "onepoller: deleteWebhook was refused, because bot 42 has a webhook at "
            "bot.example.org, which somebody else set; if it may go, set on_webhook='delete' "
            "(ONEPOLLER_ON_WEBHOOK=delete)",
        },
    )


@pytest.mark.parametrize("answer", [True, False])
def test_the_store_answers(*, answer: bool) -> None:
    """A peer lives, or not."""
    future: Future[bool] = Future()
    future.set_result(answer)

    assert bootstrap.peer_lives_sync(future) is answer


@pytest.mark.parametrize("answer", [True, False])
def test_the_store_answers_in_an_event_loop(*, answer: bool) -> None:
    """The same, awaited."""
    future: Future[bool] = Future()
    future.set_result(answer)

    assert asyncio.run(bootstrap.peer_lives(future)) is answer


def test_a_store_that_does_not_answer_means_a_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is dropped where it is not known that nobody works on it."""
    monkeypatch.setattr(bootstrap, "PEER_LIMIT", 0.0)

    assert bootstrap.peer_lives_sync(Future()) is True
    assert asyncio.run(bootstrap.peer_lives(Future())) is True


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param({"sets": HOOK}, True, id="sets a webhook"),
        pytest.param({}, False, id="a start"),
        pytest.param({"drops": True, "holds_claim": True}, False, id="a start, though the claim is kept"),
        pytest.param({"is_start": False}, True, id="a person deletes"),
        pytest.param(
            {"is_start": False, "drops": True, "holds_claim": True}, True, id="the holder's person drops"
        ),
        pytest.param({"is_start": False, "drops": True}, False, id="a standby's person drops"),
    ],
)
def test_what_needs_no_ruling(call: dict[str, Any], *, expected: bool) -> None:
    """Calls of a start are judged, and drops of whoever does not hold the claim."""
    assert bootstrap.Webhooks().is_sent(called(**call)) is expected


def called(deletions: Deletions | None = None, **facts: Any) -> bootstrap.WebhookCall:
    """Give a call of a start, but for what the test says."""
    known: dict[str, Any] = {"sets": "", "drops": False, "is_start": True, "holds_claim": False} | facts
    return bootstrap.WebhookCall(bot_id=BOT, deletions=deletions or Deletions(lambda: 0.0), **known)


class Start:
    """Starts of one bot in one process, with leave to delete."""

    def __init__(self) -> None:
        self.now = 0.0
        self.deletions = Deletions(lambda: self.now)

    def delete(self, **facts: Any) -> bootstrap.Ruling:
        """The framework's deleteWebhook, where somebody has set one."""
        call = called(self.deletions, **facts)
        return bootstrap.Webhooks().rule(call, url=HOOK, has_peer=False, policy=OnWebhook.DELETE)


def test_a_webhook_that_is_deleted_is_told() -> None:
    """By its host: whoever set it wants to know."""
    assert Start().delete() == bootstrap.Ruling(events=(told("deleted", "bot.example.org"),))


def test_the_drop_that_is_skipped_beside_it_is_told_too() -> None:
    """Two things happened."""
    ruling = bootstrap.Webhooks().rule(called(drops=True), url=HOOK, has_peer=True, policy=OnWebhook.DELETE)

    assert ruling.is_undropped
    assert [event.answer for event in ruling.events] == ["deleted", "drop_skipped"]


def test_a_webhook_that_comes_again_and_again_is_left_after_the_third() -> None:
    """Two programs that undo each other's work all night help nobody: one sentence says what to do."""
    start = Start()
    for _ in range(3):
        assert start.delete().answer is None
        start.now += 600.0
    ruling = start.delete()

    assert ruling.events == (told("limit", "bot.example.org"),)
    assert ruling.answer is not None
    status, body = ruling.answer
    assert status == 400
    assert json.loads(body)["description"] == (
        "onepoller: deleteWebhook was refused, because bot 42 has a webhook at bot.example.org again, "
        "after 3 were deleted within an hour; end the program that sets it, or revoke the token with "
        "@BotFather"
    )


@pytest.mark.parametrize(("hour", "expected"), [(3599.9, "limit"), (3600.0, "deleted")])
def test_after_an_hour_one_more_may_go(hour: float, expected: str) -> None:
    """Counted from the first of the last three; a refused one does not count."""
    start = Start()
    for _ in range(4):
        start.delete()
    start.now = hour

    assert [event.answer for event in start.delete().events] == [expected]


def test_what_a_person_deletes_is_neither_counted_nor_told() -> None:
    """It is the user's own webhook, or the user's own wish."""
    start = Start()
    rulings = [start.delete(is_start=False, drops=True) for _ in range(5)]

    assert rulings == [bootstrap.Ruling()] * 5
