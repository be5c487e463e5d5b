"""What the target of a request means: which token, which method, under which name. Pure."""

from dataclasses import dataclass, field
from urllib.parse import unquote

from onepoller.testing.botapi.replies import ABSOLUTE_URI, NOT_FOUND, Reply

CONTROL = "/_fake/"
ALIAS = "/_as/"
BOT = "/bot"
TEST = "test/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path of a bot's method: `/bot<token>/<method>`, perhaps behind `/_as/<poller>`."""

    token: str = field(repr=False)
    method: str
    is_test: bool
    poller: str
    query: str = field(repr=False)


def parse(target: str) -> Path | Reply:
    """Read a target, or give the answer to one that leads nowhere. `/bot` is case-sensitive."""
    if not target.startswith("/"):
        return ABSOLUTE_URI if "://" in target else NOT_FOUND
    raw, _, query = target.partition("?")
    path = unquote(raw, errors="replace") if "%" in raw else raw
    poller = ""
    if path.startswith(ALIAS):
        poller, _, rest = path[len(ALIAS) :].partition("/")
        path = "/" + rest
    if not path.startswith(BOT):
        return NOT_FOUND
    token, slash, method = path[len(BOT) :].partition("/")
    if not slash:
        return NOT_FOUND
    is_test = method.startswith(TEST)
    return Path(
        token=token,
        method=method[len(TEST) :] if is_test else method,
        is_test=is_test,
        poller=poller,
        query=query,
    )
