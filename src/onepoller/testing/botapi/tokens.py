"""Which tokens the server lets through, in the order in which it looks. Pure.

The checks of the server's manager come before any state of a bot exists; the shape of the secret is checked
by the bot's own part. Neither says whether Telegram would authorise the token.
"""

import re

from onepoller.testing.botapi.replies import INVALID_TOKEN, MISDIRECTED, UNAUTHORIZED, Reply

LONGEST = 80
SHORTEST_SECRET = 24
TEST_DC = 1 << 54  # added to the bot's number in the test data centre; also the end of the numbers

_INTEGER = re.compile(r"-?[0-9]+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")


def refusal(token: str) -> Reply | None:
    """Give the answer to a token that cannot be one, or None."""
    if token.startswith("0") or len(token) > LONGEST or "/" in token or ":" not in token:
        return INVALID_TOKEN
    number = token.partition(":")[0]
    if _INTEGER.fullmatch(number) is None:
        return MISDIRECTED
    if not 0 < int(number) < TEST_DC:
        return INVALID_TOKEN
    return None


def bot_id_of(token: str) -> int | None:
    """Give the number before the colon, if it is one: the only part of a token that may be shown."""
    number, colon, _ = token.partition(":")
    return int(number) if colon and len(number) <= LONGEST and _INTEGER.fullmatch(number) else None


def secret_refusal(token: str) -> Reply | None:
    """Give the answer to a token whose part behind the colon is no secret, or None."""
    secret = token.partition(":")[2]
    if (
        _BASE64URL.fullmatch(secret) is None
        or len(secret) < SHORTEST_SECRET
        or len(secret.rstrip("=")) % 4 == 1
    ):
        return UNAUTHORIZED
    return None
