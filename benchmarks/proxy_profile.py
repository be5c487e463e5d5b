"""Where the time of a process goes, from what cProfile saw: by library, and the functions with most of it.

A profiled process is slower, and more so in small Python functions than in C: shares, not times, are told.
Built-in functions count for whoever calls them, but for the sockets and for the wait for events.
"""

from __future__ import annotations

import pstats
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Function = tuple[str, int, str]
TOP = 12
_WAIT = re.compile(r"'poll' of 'select\.")
_SOCKETS = re.compile(r"'(send|recv|sendmsg|recv_into|accept|_accept)' of '_socket\.")
_PLACES = (
    ("the proxy's own code", r"(^|/)adapters/proxy/"),
    ("guard, ledger, log", r"(^|/)(coordination|metrics|adapters|onepoller|logging)/"),
    ("aiohttp, server side", r"/aiohttp/web"),
    ("aiohttp, client side", r"/aiohttp/(client|connector|cookiejar|_cookie|tracing|resolver|formdata)"),
    ("aiohttp, both", r"/aiohttp/"),
    ("URLs and headers (yarl, multidict)", r"/(yarl|multidict|propcache)/|/urllib/"),
    ("asyncio", r"/(asyncio/|selectors\.py|contextvars)"),
)
SOCKETS, WAIT, REST = "sending and receiving", "waiting for events", "the rest"


def place_of(file: str, name: str) -> str | None:
    """Whose a function is; None: a built-in, which is its caller's."""
    if file == "~":
        return WAIT if _WAIT.search(name) else SOCKETS if _SOCKETS.search(name) else None
    path = file.replace("\\", "/")
    return next((place for place, pattern in _PLACES if re.search(pattern, path)), REST)


def read(path: Path) -> dict[str, Any]:
    """What a profile says, in percent of all time but that of waiting."""
    return summary(vars(pstats.Stats(str(path)))["stats"])


def summary(stats: Mapping[Function, tuple[Any, ...]]) -> dict[str, Any]:
    """The same of the numbers of `pstats`: calls, time of its own, time with all it calls, its callers."""
    places: defaultdict[str, float] = defaultdict(float)
    for (file, _line, name), (_primitive, _calls, own, _whole, callers) in stats.items():
        place = place_of(file, name)
        if place is not None:
            places[place] += own
            continue
        for (caller_file, _, caller), (*_, of_caller, _whole_of_caller) in callers.items():
            places[place_of(caller_file, caller) or REST] += of_caller
    places.pop(WAIT, None)
    whole = sum(places.values())
    own_times = sorted(((of[2], function) for function, of in stats.items()), reverse=True)
    top = [
        {"function": _named(*function), "percent": _percent(own, whole)}
        for own, function in own_times
        if place_of(function[0], function[2]) != WAIT
    ]
    ordered = sorted(places.items(), key=lambda of: -of[1])
    return {"percent": {place: _percent(own, whole) for place, own in ordered}, "top": top[:TOP]}


def _named(file: str, _line: int, name: str) -> str:
    """A function with its module, without the folders of this machine."""
    return name.strip("<>") if file == "~" else f"{'.'.join(Path(file).with_suffix('').parts[-2:])}.{name}"


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
