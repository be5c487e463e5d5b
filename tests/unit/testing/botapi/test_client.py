"""One token: its life cycle, and the methods beside getUpdates and webhooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from onepoller.testing.botapi import Call, Reply, replies

from .conftest import BOT, TOKEN

if TYPE_CHECKING:
    from .conftest import Stage

RESULT_KEYS = [
    "id",
    "is_bot",
    "first_name",
    "username",
    "can_join_groups",
    "can_read_all_group_messages",
    "supports_inline_queries",
    "supports_guest_queries",
    "can_connect_to_business",
    "has_main_web_app",
    "has_topics_enabled",
    "allows_users_to_create_topics",
    "can_manage_bots",
]


def reply(stage: Stage, connection: int) -> Reply:
    """Give an answer."""
    answered = stage.answers[connection].reply
    assert isinstance(answered, Reply)
    return answered


def test_get_me_has_all_required_fields_in_order(stage: Stage) -> None:
    """Client libraries refuse one that lacks a field."""
    me = stage.body(stage.call("getMe", at=0))["result"]

    assert list(me) == RESULT_KEYS
    assert me["id"] == BOT


@pytest.mark.parametrize("method", ["getme", "GETME", "GetMe"])
def test_method_names_have_no_case(stage: Stage, method: str) -> None:
    """They are lower-cased."""
    assert stage.body(stage.call(method, at=0))["ok"] is True


def test_an_empty_method_is_taken_from_the_arguments(stage: Stage) -> None:
    """The path ends with a slash and `method` names it."""
    call = Call(connection=9, token=TOKEN, method="", arguments={"method": "getMe"})
    (answer,) = stage.api.submit(call, 0)

    assert isinstance(answer.reply, Reply)
    assert json.loads(answer.reply.body)["result"]["id"] == BOT


def test_an_unknown_method_is_404(stage: Stage) -> None:
    """With a text of its own."""
    assert reply(stage, stage.call("getNothing", at=0)) == replies.METHOD_NOT_FOUND


def test_send_message_gives_a_message(stage: Stage) -> None:
    """Numbered by bot; its text is in the journal."""
    stage.call("sendMessage", at=0, chat_id=5, text="one")
    call = stage.call("sendMessage", at=1, chat_id=5, text="two")
    message = stage.body(call)["result"]

    assert (message["message_id"], message["chat"]["id"], message["text"]) == (2, 5, "two")
    assert stage.row(call).text == "two"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"text": "x"}, "chat_id is empty"), ({"chat_id": "5", "text": " "}, "message text is empty")],
)
def test_send_message_needs_a_chat_and_a_text(stage: Stage, arguments: dict[str, Any], reason: str) -> None:
    """400 with the server's text."""
    call = stage.call("sendMessage", at=0, **arguments)

    assert reply(stage, call) == replies.error(400, f"Bad Request: {reason}")


def test_close_ends_a_parked_poll_with_200(stage: Stage) -> None:
    """While it closes everything else is told to come again; then the token starts anew."""
    poll = stage.poll(0, 30, at=0)
    closing = stage.call("close", at=1)
    during = stage.call("getMe", at=1.01)
    after = stage.call("getMe", at=2)

    assert stage.outcome(poll) == (1.0, [])
    assert reply(stage, closing) == replies.TRUE
    assert reply(stage, during) == replies.RESTART
    assert reply(stage, after).status == 200


def test_close_of_a_token_that_nobody_uses_is_400(stage: Stage) -> None:
    """Before the first call, and after a close."""
    first = stage.call("close", at=0)
    stage.call("getMe", at=1)
    stage.call("close", at=2)
    again = stage.call("close", at=3)

    assert reply(stage, first) == replies.ALREADY_CLOSED
    assert reply(stage, again) == replies.ALREADY_CLOSED


def test_a_bot_launched_less_than_10_minutes_ago_may_not_be_closed(stage: Stage) -> None:
    """Unless the server was young then; the rest of the time is told."""
    stage.call("getMe", at=1000)
    call = stage.call("close", at=1100.5)

    assert reply(stage, call) == replies.retry_after(500)


def test_close_keeps_queue_and_webhook(stage: Stage) -> None:
    """Both are on disk."""
    stage.push(2, at=0)
    stage.call("setWebhook", at=0, url="https://hook.example/")
    stage.call("close", at=2)
    info = stage.info(at=3)

    assert (info["url"], info["pending_update_count"]) == ("https://hook.example/", 2)


def test_close_forgets_the_webhook_if_setting_one_comes_first(stage: Stage) -> None:
    """The first call of the new life decides."""
    stage.call("setWebhook", at=0, url="https://hook.example/")
    stage.call("close", at=2)
    deletion = stage.call("deleteWebhook", at=3)

    assert stage.outcome(deletion) == (3.0, "Webhook is already deleted")


def test_close_forgets_the_conflict_pacing(stage: Stage) -> None:
    """It is in memory only."""
    stage.poll(0, 30, at=0)
    stage.poll(0, 30, at=1)
    stage.call("close", at=1.1)
    third = stage.poll(0, 30, at=1.5)
    stage.poll(0, 30, at=2)

    assert stage.outcome(third) == (2.0, "G")


def test_log_out_erases_queue_and_webhook(stage: Stage) -> None:
    """For half an hour every call is told so; a parked poll ends with 200."""
    poll = stage.poll(0, 50, at=0)
    call = stage.call("logOut", at=1)
    stage.push(1, at=2)
    during = stage.call("getMe", at=1800)
    after = stage.call("getMe", at=1802)

    assert stage.outcome(poll) == (1.0, [])
    assert reply(stage, call) == replies.TRUE
    assert reply(stage, during) == replies.LOGGED_OUT
    assert reply(stage, after).status == 200


def test_log_out_of_an_old_login_lasts_a_second(stage: Stage) -> None:
    """Logins older than half an hour may come back at once."""
    stage.call("getMe", at=0)
    stage.call("logOut", at=2000)

    assert reply(stage, stage.call("getMe", at=2000.9)) == replies.LOGGED_OUT
    assert reply(stage, stage.call("getMe", at=2001.1)).status == 200


def test_a_revoked_token_is_401_and_its_parked_poll_200(stage: Stage) -> None:
    """Until it is authorised again."""
    poll = stage.poll(0, 30, at=0)
    stage.api.revoke(BOT, now=1)
    stage.until(1)
    refused = stage.call("getMe", at=2)
    stage.api.authorise(TOKEN)
    accepted = stage.call("getMe", at=3)

    assert stage.outcome(poll) == (1.0, [])
    assert reply(stage, refused) == replies.UNAUTHORIZED
    assert reply(stage, accepted).status == 200


def test_a_setting_under_way_ends_with_its_token(stage: Stage) -> None:
    """Its caller is answered."""
    setting = stage.call("setWebhook", at=0, url="https://hook.example/")
    stage.api.revoke(BOT, now=0.005)
    stage.until(1)

    assert stage.outcome(setting) == (0.005, "Unauthorized")


def test_ordinary_bots_can_start(stage: Stage) -> None:
    """A few methods are accepted and do nothing."""
    assert json.loads(reply(stage, stage.call("setMyCommands", at=0)).body) == {"ok": True, "result": True}
