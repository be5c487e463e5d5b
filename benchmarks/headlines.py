"""The numbers of the README, out of a results file: the mark and what was measured, bold if missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from judging import Rows, number, percentile

_UNITS = {
    "ms": " ms",
    "%": " %",
    "MB": " MB",
    "microseconds": " µs",
    "times as long": " times",
    "times faster": " times",
}
Measured = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A row: what was measured, for people, and the bars that say it; `beside`: what it compares with."""

    what: str
    bars: tuple[str, ...]
    beside: Callable[[Measured], str] = lambda _: ""


def _blocked_flock(measured: Measured) -> str:
    polls = measured["takeover"]["flock"]["poll_ms"]
    return f"; a thread blocked in `flock`: {_ms(percentile(polls, 50))}, {_ms(percentile(polls, 99))}"


def _filelock(measured: Measured) -> str:
    ours, others = (percentile(measured["claim"][who]["claim_ms"], 50) for who in ("onepoller", "filelock"))
    return f"; {_ms(ours)}, filelock {_ms(others)}"


def _ms(value: float) -> str:
    return f"{number(value)} ms"


HEADLINES = (
    Headline(
        what="`kill -9` of a 60 MB bot, until the next poll arrives: median, 99th percentile",
        bars=("SIGKILL to the next poll, p50", "SIGKILL to the next poll, p99"),
        beside=_blocked_flock,
    ),
    Headline(
        what="the claim alone after `kill -9`, median: as long as a thread in `flock`, faster than filelock",
        bars=(
            "claim after SIGKILL, p50, beside a thread blocked in flock",
            "claim after SIGKILL, p50, beside filelock with its defaults",
        ),
        beside=_filelock,
    ),
    Headline(
        what="planned handover: nobody polls, longest of 50; 409s",
        bars=(
            "planned handover: longest time without a poll",
            "planned handover: 409s that a client could see",
        ),
    ),
    Headline(
        what="added to a poll without updates: python-telegram-bot, httpx transport",
        bars=("added per poll: python-telegram-bot, empty", "added per poll: httpx transport, empty"),
    ),
    Headline(
        what="added to a poll that brings 100 updates: python-telegram-bot, httpx transport",
        bars=("added per poll: python-telegram-bot, batch", "added per poll: httpx transport, batch"),
    ),
    Headline(
        what="10,000 bots in one process: threads, descriptors more than of one; processor while they wait",
        bars=(
            "threads of 10,000 bots more than of one",
            "descriptors of 10,000 bots more than of one",
            "10,000 bots, all calls asleep, holder: of one processor",
        ),
    ),
    Headline(
        what="10,000 bots: all claimed at start; all taken over after `kill -9`",
        bars=(
            "10,000 bots claimed, from the first call to the last claim",
            "10,000 bots taken over, from the SIGKILL to the last claim",
        ),
    ),
    Headline(
        what="planned handover on Redis, PostgreSQL, etcd: nobody polls, median",
        bars=tuple(f"{store}: handover, no poll open, p50" for store in ("Redis", "PostgreSQL", "etcd")),
    ),
    Headline(
        what="the proxy: added to a call, median; memory of 8,000 open polls",
        bars=("added by the proxy, one client, p50: sendMessage", "proxy, 8,000 polls parked: resident"),
    ),
)


def rows(found: Mapping[str, Any]) -> Rows:
    """The table, of a full run."""
    bars = {bar["name"]: bar for bar in found["bars"]}
    measured = {name: of["measured"] for name, of in found["benchmarks"].items()}
    made: Rows = [("", "mark", "measured")]
    for headline in HEADLINES:
        chosen = [bars[name] for name in headline.bars]
        shown = ", ".join(_shown(bar) for bar in chosen) + headline.beside(measured)
        marks = dict.fromkeys(_mark(bar) for bar in chosen)  # one for all, where they are the same
        made.append((headline.what, ", ".join(marks), shown))
    return made


def _mark(bar: Mapping[str, Any]) -> str:
    limit = bar["wanted"].removesuffix(bar["unit"]).split()[-1]
    return limit + _UNITS.get(bar["unit"], "")


def _shown(bar: Mapping[str, Any]) -> str:
    value = number(bar["measured"]) + _UNITS.get(bar["unit"], "")
    return value if bar["met"] else f"**{value}**"
