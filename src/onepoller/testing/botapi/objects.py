"""The objects inside updates, valid for every client library: all required fields are there.

Pure: date and number come in. `number` is what makes an update known again: the text of a message, the data
of a callback query, the query of an inline query.
"""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

USER_ID = 777_001
CHAT_ID = USER_ID  # a private chat has the id of its user
CHANNEL_ID = -1_001_777_000_001

USER: Json = {
    "id": USER_ID,
    "is_bot": False,
    "first_name": "Ada",
    "username": "ada_of_the_fake",
    "language_code": "en",
}
CHAT: Json = {"id": CHAT_ID, "first_name": "Ada", "username": "ada_of_the_fake", "type": "private"}
CHANNEL: Json = {"id": CHANNEL_ID, "title": "Fake channel", "type": "channel"}
MEMBER: Json = {"user": USER, "status": "member"}
POLL: Json = {
    "id": "1",
    "question": "Which?",
    "options": [
        {"persistent_id": "0", "text": "This", "voter_count": 0},
        {"persistent_id": "1", "text": "That", "voter_count": 0},
    ],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": False,
    "members_only": False,
}


def bot_user(bot_id: int) -> Json:
    """Describe the bot as a sender."""
    return {
        "id": bot_id,
        "is_bot": True,
        "first_name": f"Fake bot {bot_id}",
        "username": f"fake_{bot_id}_bot",
    }


def me(bot_id: int) -> Json:
    """Answer getMe, keys in the server's order."""
    return bot_user(bot_id) | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": True,
        "supports_guest_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


def sent_message(bot_id: int, message_id: int, chat_id: int, date: int, text: str) -> Json:
    """Answer sendMessage."""
    return {
        "message_id": message_id,
        "from": bot_user(bot_id),
        "chat": CHAT | {"id": chat_id},
        "date": date,
        "text": text,
    }


def _message(number: int, date: int) -> Json:
    return {"message_id": number, "from": USER, "chat": CHAT, "date": date, "text": str(number)}


def _edited(number: int, date: int) -> Json:
    return _message(number, date) | {"edit_date": date}


def _post(number: int, date: int) -> Json:
    return {"message_id": number, "sender_chat": CHANNEL, "chat": CHANNEL, "date": date, "text": str(number)}


def _business(number: int, date: int) -> Json:
    return {"business_connection_id": "b1"} | _message(number, date)


def _reaction(number: int, date: int) -> Json:
    thumb = {"type": "emoji", "emoji": "\N{THUMBS UP SIGN}"}
    head = {"chat": CHAT, "message_id": number, "user": USER, "date": date}
    return head | {"old_reaction": [], "new_reaction": [thumb]}


def _boost_source(number: int, date: int) -> Json:
    return {
        "boost_id": str(number),
        "add_date": date,
        "expiration_date": date + 86400,
        "source": {"source": "premium", "user": USER},
    }


def _query(number: int, _: int) -> Json:
    return {"id": str(number), "from": USER, "invoice_payload": str(number)}


def _member(_: int, date: int) -> Json:
    left = {"user": USER, "status": "left"}
    return {"chat": CHAT, "from": USER, "date": date, "old_chat_member": left, "new_chat_member": MEMBER}


MAKERS: dict[str, Callable[[int, int], Json]] = {
    "message": _message,
    "edited_message": _edited,
    "channel_post": _post,
    "edited_channel_post": lambda number, date: _post(number, date) | {"edit_date": date},
    "inline_query": lambda number, _: {"id": str(number), "from": USER, "query": str(number), "offset": ""},
    "chosen_inline_result": lambda number, _: {"result_id": str(number), "from": USER, "query": str(number)},
    "callback_query": lambda number, date: {
        "id": str(number),
        "from": USER,
        "message": _message(number, date) | {"from": bot_user(1)},
        "chat_instance": "1",
        "data": str(number),
    },
    "custom_event": lambda number, _: {"number": number},
    "custom_query": lambda number, _: {"number": number},
    "shipping_query": lambda number, date: (
        _query(number, date)
        | {
            "shipping_address": {
                "country_code": "GB",
                "state": "",
                "city": "London",
                "street_line1": "1",
                "street_line2": "",
                "post_code": "1",
            }
        }
    ),
    "pre_checkout_query": lambda number, date: (
        _query(number, date) | {"currency": "EUR", "total_amount": 100}
    ),
    "poll": lambda number, _: POLL | {"id": str(number)},
    "poll_answer": lambda number, _: {
        "poll_id": str(number),
        "user": USER,
        "option_ids": [0],
        "option_persistent_ids": ["0"],
    },
    "my_chat_member": _member,
    "chat_member": _member,
    "chat_join_request": lambda _, date: {
        "chat": CHANNEL,
        "from": USER,
        "user_chat_id": CHAT_ID,
        "date": date,
    },
    "chat_boost": lambda number, date: {"chat": CHANNEL, "boost": _boost_source(number, date)},
    "removed_chat_boost": lambda number, date: {
        "chat": CHANNEL,
        "boost_id": str(number),
        "remove_date": date,
        "source": {"source": "premium", "user": USER},
    },
    "message_reaction": _reaction,
    "message_reaction_count": lambda number, date: {
        "chat": CHANNEL,
        "message_id": number,
        "date": date,
        "reactions": [],
    },
    "business_connection": lambda number, date: {
        "id": str(number),
        "user": USER,
        "user_chat_id": CHAT_ID,
        "date": date,
        "is_enabled": True,
    },
    "business_message": _business,
    "edited_business_message": lambda number, date: _business(number, date) | {"edit_date": date},
    "deleted_business_messages": lambda number, _: {
        "business_connection_id": "b1",
        "chat": CHAT,
        "message_ids": [number],
    },
    "purchased_paid_media": lambda number, _: {"from": USER, "paid_media_payload": str(number)},
    "managed_bot": lambda number, _: {"user": USER, "bot": bot_user(number)},
    "guest_message": _message,
}
