"""The update types: their names in the server's order, which are on by default, how long each one lives."""

DAY = 86400

# Seconds that an update stays in the queue, in the order in which getWebhookInfo prints the names.
KINDS: dict[str, int] = {
    "message": DAY,
    "edited_message": DAY,
    "channel_post": DAY,
    "edited_channel_post": DAY,
    "inline_query": 30,
    "chosen_inline_result": 600,
    "callback_query": 150,
    "custom_event": 600,
    "custom_query": DAY,
    "shipping_query": 150,
    "pre_checkout_query": 150,
    "poll": DAY,
    "poll_answer": DAY,
    "my_chat_member": DAY,
    "chat_member": DAY,
    "chat_join_request": DAY,
    "chat_boost": DAY,
    "removed_chat_boost": DAY,
    "message_reaction": DAY,
    "message_reaction_count": DAY,
    "business_connection": DAY,
    "business_message": DAY,
    "edited_business_message": DAY,
    "deleted_business_messages": DAY,
    "purchased_paid_media": DAY,
    "managed_bot": DAY,
    "guest_message": DAY,
}

DEFAULT_KINDS = frozenset(KINDS) - {"chat_member", "message_reaction", "message_reaction_count"}

# Their life counts from the date inside the object. The others count from their arrival.
MESSAGE_KINDS = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_message",
        "edited_business_message",
        "guest_message",
    }
)
DATED_KINDS = MESSAGE_KINDS | {
    "chat_member",
    "my_chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "message_reaction",
    "message_reaction_count",
}

_NEVER_PRINTED = frozenset({"custom_event", "custom_query"})


def printed(allowed: frozenset[str]) -> list[str]:
    """List types as getWebhookInfo does."""
    return [name for name in KINDS if name in allowed and name not in _NEVER_PRINTED]
