"""Where a request's target leads: to a method of a bot, to a file of a bot, or nowhere. Pure.

Read as the published server reads it: percent-decoded once, `/bot` case-sensitive, the method in any letter
case. What is sent on is written anew from what was understood, and what was not understood is sent nowhere:
no spelling that another server reads differently gets past the guard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import quote, unquote

from onepoller.coordination.identity import BotId

_BOT = r"bot(?P<bot>[0-9]{1,16}):(?P<secret>[A-Za-z0-9_-]{1,128})"
_METHOD = re.compile(rf"/{_BOT}(?P<test>/test)?/(?P<method>[A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_FILE = re.compile(rf"/file/{_BOT}/(?P<file>.+)", re.DOTALL)
_DOTS = frozenset({"", ".", ".."})
_UNRESERVED = "/:-._~!$&'()*+,;=@%?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one bot, or one file."""

    bot_id: BotId
    method: str
    """In lower case; empty where a parameter called `method` says it. A file has none."""
    prefix: str = field(repr=False)
    """The path as it is sent on, up to the method; it holds the token."""
    name: str
    """The method as the client spells it, or the file."""
    query: str = field(repr=False)
    is_file: bool = False
    is_test: bool = False

    @property
    def target(self) -> str:
        """Path and query as they are sent on."""
        return self.path_of(self.name) + (f"?{self.query}" if self.query else "")

    def path_of(self, name: str) -> str:
        """The path of another method of this bot."""
        return self.prefix + name

    def named(self, name: str) -> Self | None:
        """The same with the method that a parameter says; None where that is no name."""
        return replace(self, name=name, method=name.lower()) if _NAME.fullmatch(name) else None

    def first(self, query: str) -> Self:
        """The same with this in front of the query: of two parameters with one name the first wins."""
        return replace(self, query=f"{query}&{self.query}" if self.query else query)


def route_of(target: str) -> Route | None:
    """Read a request's target; None where it leads nowhere."""
    raw, _, query = target.partition("?")
    path = unquote(raw, errors="surrogateescape") if "%" in raw else raw
    found = _METHOD.fullmatch(path)
    if found is not None:
        name = found["method"]
        return Route(
            bot_id=BotId(int(found["bot"])),
            method=name.lower(),
            prefix=path[: len(path) - len(name)],
            name=name,
            query=_ascii(query),
            is_test=found["test"] is not None,
        )
    found = _FILE.fullmatch(path)
    if found is None or not _DOTS.isdisjoint(found["file"].split("/")):
        return None  # dots would lead out of the files: some servers follow them
    return Route(
        bot_id=BotId(int(found["bot"])),
        method="",
        prefix=path[: found.start("file")],
        name=quote(found["file"], errors="surrogateescape"),
        query=_ascii(query),
        is_file=True,
    )


def _ascii(query: str) -> str:
    """A query as it may stand in a request line: bytes beyond ASCII are percent-encoded."""
    return query if query.isascii() else quote(query, safe=_UNRESERVED, errors="surrogateescape")
