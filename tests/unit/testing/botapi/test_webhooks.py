"""setWebhook, deleteWebhook and getWebhookInfo. The vectors hold the main cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from onepoller.testing.botapi import Reply, replies

if TYPE_CHECKING:
    from .conftest import Stage

HOOK = "https://hook.example/x"


def said(stage: Stage, connection: int) -> object:
    """Give the description of an answer, after whatever it waits for."""
    stage.until(stage.row(connection).arrived_at + 1)
    return stage.outcome(connection)[1]


def test_a_webhook_that_is_set_stands_in_the_way_for_ever(stage: Stage) -> None:
    """Until it is deleted, getUpdates is refused; afterwards it works."""
    assert said(stage, stage.call("setWebhook", at=0, url=HOOK)) == "Webhook was set"
    assert said(stage, stage.poll(0, 30, at=100)) == "W"
    assert said(stage, stage.call("deleteWebhook", at=200)) == "Webhook was deleted"
    assert said(stage, stage.poll(0, 0, at=300)) == []


def test_the_first_refusal_comes_before_verification(stage: Stage) -> None:
    """A setting that is under way stands in the way."""
    stage.call("setWebhook", at=0, url=HOOK)

    assert stage.outcome(stage.poll(0, 30, at=0.001)) == (0.001, "W")


def test_a_refused_poll_changes_neither_filter_nor_memory(stage: Stage) -> None:
    """Its parameters are not even read."""
    said(stage, stage.call("setWebhook", at=0, url=HOOK))
    said(stage, stage.poll(7, 0, at=10, allowed_updates='["poll"]'))
    said(stage, stage.call("deleteWebhook", at=11))

    assert "allowed_updates" not in stage.info(at=12)
    assert stage.outcome(stage.poll(7, 0, at=12.5)) == (12.5, [])


@pytest.mark.parametrize("method", ["deleteWebhook", "setWebhook"])
def test_deleting_what_is_not_there_says_so(stage: Stage, method: str) -> None:
    """An empty url deletes; deleteWebhook ignores its own url."""
    url = HOOK if method == "deleteWebhook" else ""

    assert said(stage, stage.call(method, at=0, url=url)) == "Webhook is already deleted"


def test_setting_the_same_again_says_so_and_evicts_nobody(stage: Stage) -> None:
    """Nothing changes, but a filter is applied."""
    said(stage, stage.call("setWebhook", at=0, url=HOOK))
    again = stage.call("setWebhook", at=10, url=HOOK, allowed_updates='["message"]')

    assert stage.outcome(again) == (10.0, "Webhook is already set")
    assert stage.info(at=11)["allowed_updates"] == ["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"max_connections": "7"},
        {"secret_token": "s"},
        {"ip_address": "8.8.8.8"},
        {"drop_pending_updates": "1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_sets_anew(stage: Stage, change: dict[str, Any]) -> None:
    """Every setting counts."""
    said(stage, stage.call("setWebhook", at=0, url=HOOK))

    assert said(stage, stage.call("setWebhook", at=10, url=HOOK, **change)) == "Webhook was set"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"url": "ftp://x"}, "invalid webhook URL specified"),
        ({"secret_token": "x" * 257}, "secret token is too long"),
        ({"secret_token": "a b"}, "secret token contains unallowed characters"),
        ({"url": "http://a.example"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://a.example:1"},
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        ({"ip_address": "10.0.0.1"}, "bad webhook: IP address 10.0.0.1 is reserved"),
    ],
)
def test_refused_webhooks(stage: Stage, arguments: dict[str, Any], reason: str) -> None:
    """The reason is told, and polling works afterwards."""
    setting = stage.call("setWebhook", at=0, **({"url": HOOK} | arguments))

    assert said(stage, setting) == f"Bad Request: {reason}"
    assert said(stage, stage.poll(0, 0, at=10)) == []


def test_a_certificate_has_a_limit(stage: Stage) -> None:
    """3 MiB."""
    setting = stage.call("setWebhook", at=0, url=HOOK, files={"certificate": (3 << 20) + 1})

    assert said(stage, setting) == "Bad Request: certificate size is too big (3145729 bytes)"


def test_while_a_certificate_is_copied_another_setting_is_429(stage: Stage) -> None:
    """It replaces nothing."""
    first = stage.call("setWebhook", at=0, url=HOOK, files={"certificate": 10})
    second = stage.call("deleteWebhook", at=0.0005)

    reply = stage.answers[second].reply
    assert isinstance(reply, Reply)
    assert reply == replies.retry_after(1)
    assert said(stage, first) == "Webhook was set"
    assert stage.info(at=5)["has_custom_certificate"] is True


def test_a_deletion_ends_an_unverified_setting(stage: Stage) -> None:
    """The older query is answered S2."""
    setting = stage.call("setWebhook", at=0, url=HOOK)
    deletion = stage.call("deleteWebhook", at=0.005)

    assert said(stage, deletion) == "Webhook was deleted"
    assert stage.outcome(setting) == (0.005, "S2")
    assert stage.info(at=2)["url"] == ""


def test_dropping_pending_updates_empties_the_queue(stage: Stage) -> None:
    """On deletion too, and the ids are in the journal."""
    ids = stage.push(3, at=0)
    deletion = stage.call("deleteWebhook", at=1, drop_pending_updates=" TRUE ")

    assert stage.info(at=2)["pending_update_count"] == 0
    assert list(stage.row(deletion).confirmed) == ids


def test_the_s_conflict_shares_the_pacing(stage: Stage) -> None:
    """Within 3 s of a G it is held."""
    stage.poll(0, 30, at=0)
    second = stage.poll(0, 30, at=1)
    stage.call("setWebhook", at=2, url=HOOK)
    stage.until(10)

    assert stage.outcome(second) == (5.0, "S")


def test_info_without_a_webhook_is_three_fields(stage: Stage) -> None:
    """Byte for byte."""
    call = stage.call("getWebhookInfo", at=0)
    reply = stage.answers[call].reply

    assert isinstance(reply, Reply)
    expected = '{"ok":true,"result":{"url":"","has_custom_certificate":false,"pending_update_count":0}}'
    assert reply.body == expected.encode()


def test_info_with_a_webhook_has_its_fields_in_order(stage: Stage) -> None:
    """In the server's order; types in the server's order too."""
    said(stage, stage.call("setWebhook", at=0, url=HOOK, allowed_updates='["poll","message"]'))

    assert list(stage.info(at=2).items()) == [
        ("url", HOOK),
        ("has_custom_certificate", False),
        ("pending_update_count", 0),
        ("max_connections", 40),
        ("ip_address", "<unknown>"),
        ("allowed_updates", ["message", "poll"]),
    ]


def test_info_disturbs_nobody(stage: Stage) -> None:
    """A parked poll stays, the memory of the last offset too."""
    poll = stage.poll(0, 30, at=0)
    stage.info(at=1)

    assert stage.is_waiting(poll)


def test_info_counts_expired_updates_until_the_collector_has_run(stage: Stage) -> None:
    """First 600 s after the start, then every minute."""
    stage.push(1, at=0, kind="inline_query")

    assert stage.info(at=599)["pending_update_count"] == 1
    assert stage.info(at=600)["pending_update_count"] == 0
