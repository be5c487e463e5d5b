"""The objects in updates, read by a client library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import telegram

from onepoller.testing.botapi import kinds, objects

if TYPE_CHECKING:
    from .conftest import Stage

UNKNOWN_TO_PTB = {"custom_event", "custom_query", "managed_bot", "guest_message"}


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS if kind not in UNKNOWN_TO_PTB])
def test_every_update_is_read_by_python_telegram_bot(kind: str) -> None:
    """The object arrives under its name, with nothing left over."""
    update = telegram.Update.de_json({"update_id": 1, kind: objects.MAKERS[kind](7, 1_800_000_000)}, None)

    assert getattr(update, kind) is not None
    assert getattr(update, kind).api_kwargs == {}


def test_a_message_is_numbered_by_its_text() -> None:
    """So is the press of a button, and an inline query."""
    update = telegram.Update.de_json({"update_id": 1, "message": objects.MAKERS["message"](7, 5)}, None)

    assert update.message is not None
    assert update.message.text == "7"
    assert objects.MAKERS["callback_query"](7, 5)["data"] == "7"
    assert objects.MAKERS["inline_query"](7, 5)["query"] == "7"


def test_get_me_is_read_by_python_telegram_bot(stage: Stage) -> None:
    """All required fields are there."""
    user = telegram.User.de_json(stage.body(stage.call("getMe", at=0))["result"], None)

    assert user is not None
    assert user.is_bot


def test_there_is_an_object_for_each_type() -> None:
    """No type can be asked for that cannot be made."""
    assert objects.MAKERS.keys() == kinds.KINDS.keys()
