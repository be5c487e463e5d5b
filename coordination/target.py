"""Where a Bot API request leads: which bot, which method, at which API root. Pure.

Paths are read as the published server reads them: percent-decoded, `/bot` case-sensitive, the method in any
letter case (facts: server semantics, section 8). Nothing here holds a token or a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from onepoller.coordination.identity import BotId

GET_UPDATES = "getupdates"
GET_WEBHOOK_INFO = "getWebhookInfo"
DELETE_WEBHOOK = "deletewebhook"
SET_WEBHOOK = "setwebhook"
GUARDED = frozenset({GET_UPDATES, DELETE_WEBHOOK, SET_WEBHOOK})

_ORIGIN = re.compile(r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?:[^/?#]*@)?(?P<host>[^/?#]*)(?P<path>[^?#]*)")
_PATH = re.compile(r"^(?P<prefix>.*?)/bot(?P<bot>\d{1,16}):[^/]*(?P<test>/test)?/(?P<method>[^/]*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One method of one bot."""

    bot_id: BotId
    api_root: str
    """What stands before `/bot`; the test environment, whose queues are others, has `/test` after it."""
    method: str
    """In lower case. Empty: the server takes it from a parameter called `method`."""


def target_of(url: str) -> Target | None:
    """Read an absolute URL; None where it is no method of a bot."""
    origin = _ORIGIN.match(url)
    if origin is None:
        return None
    path = origin["path"]
    found = _PATH.match(unquote(path) if "%" in path else path)
    if found is None:
        return None
    return Target(
        bot_id=BotId(int(found["bot"])),
        api_root=origin["scheme"] + origin["host"] + found["prefix"] + (found["test"] or ""),
        method=found["method"].lower(),
    )


def sibling(url: str, method: str) -> str:
    """The URL of another method of the same bot: the last part of the path replaced, the query left out."""
    return url.partition("?")[0].rpartition("/")[0] + "/" + method
