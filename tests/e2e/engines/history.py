"""What a run of many processes was: who believed to hold which bot when, and who delivered what.

All moments are seconds of the boot clock, which is one for all processes of a host. A *belief* begins when a
session hears that a claim is its own and ends at the first of: its attempt to let go, the news that it lost
the claim, the end of the session or of its process, and the session's deadline, beyond which it delivers
nothing before it has beaten again. A *delivery* counts at its look before delivery. A history is written
while it happens, a JSON list a line (`recording`), and judged afterwards (`verdicts`).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A session has heard that a claim is its own."""

    bot: int
    session: str
    term: int
    sent: float
    """When it asked."""
    heard: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A session's belief in a claim is over: it lets go, or has heard that it is somebody else's."""

    bot: int
    session: str
    term: int
    at: float
    is_clean: bool
    """It lets go by itself, with nothing open and nothing unacknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A batch that was handed to the framework."""

    bot: int
    session: str
    term: int
    at: float
    updates: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A stretch of time in which a session would have delivered."""

    bot: int
    session: str
    term: int
    start: float
    end: float


@dataclass(slots=True)
class Sessions:
    """Until when each session might deliver: spans of life, and its end."""

    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """Of each session: from a good heartbeat (heard) to the deadline that it brought; they never touch."""
    over: dict[str, float] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    def lived(self, session: str, at: float, deadline: float) -> None:
        """A heartbeat was good, or it doubts itself: a deadline may go back. In order for one session."""
        spans = self.spans[session]
        start = spans.pop()[0] if spans and at <= spans[-1][1] else at
        end = max(at, deadline)
        if start < end:
            spans.append((start, end))

    def until(self, session: str) -> float:
        """The last moment at which it might deliver, or let go."""
        last = max((end for _, end in self.spans.get(session, [])), default=-math.inf)
        return min(last, self.over.get(session, math.inf))

    def ended(self, session: str, at: float) -> None:
        """It is over: closed, refused by the store, or dead."""
        self.over[session] = min(at, self.over.get(session, math.inf))

    def alive(self, session: str, start: float, end: float) -> Iterator[tuple[float, float]]:
        """The parts of a stretch in which this session might deliver."""
        end = min(end, self.over.get(session, math.inf))
        spans = self.spans.get(session, [])
        for number in range(max(bisect_right(spans, (start, math.inf)) - 1, 0), len(spans)):
            since, until = spans[number]
            if since >= end:
                return
            if max(since, start) < min(until, end):
                yield max(since, start), min(until, end)


@dataclass(slots=True)
class History:
    """Everything that was written."""

    grants: list[Grant] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    sessions: Sessions = field(default_factory=Sessions)
    freed: set[tuple[int, str, int]] = field(default_factory=set)
    """Bot, session and term of what was let go, where the store has said so."""

    @classmethod
    def read(cls, files: Iterable[Path], *, deaths: Iterable[tuple[int, float]] = ()) -> History:
        """The histories of several processes; of those that were killed, the pid and the moment before."""
        history = cls()
        for file in files:
            for line in file.read_text().splitlines():
                history.add(*json.loads(line))
        died = dict(deaths)
        for session, pid in history.sessions.pids.items():
            if pid in died:
                history.sessions.ended(session, died[pid])
        return history

    def add(self, kind: str, *fields: Any) -> None:
        """One line, as `recording` writes it."""
        match kind, fields:
            case "session", (session, pid):
                self.sessions.pids[session] = pid
            case "lived", (session, at, deadline):
                self.sessions.lived(session, at, deadline)
            case "over", (session, at):
                self.sessions.ended(session, at)
            case "grant", (bot, session, term, sent, heard):
                self.grants.append(Grant(bot=bot, session=session, term=term, sent=sent, heard=heard))
            case "ended", (bot, session, term, at, is_clean):
                self.ends.append(Ended(bot=bot, session=session, term=term, at=at, is_clean=is_clean))
            case "freed", (bot, session, term):
                self.freed.add((bot, session, term))
            case "delivered", (bot, session, term, at, updates):
                ids = tuple(updates)
                self.deliveries.append(Delivery(bot=bot, session=session, term=term, at=at, updates=ids))
            case _:
                raise ValueError(f"no such line: {kind} {fields}")

    def beliefs(self) -> list[Belief]:
        """Every stretch in which a session would have delivered, by its start."""
        ends: dict[tuple[int, str, int], list[float]] = defaultdict(list)
        for ended in self.ends:
            ends[ended.bot, ended.session, ended.term].append(ended.at)
        for moments in ends.values():
            moments.sort()
        beliefs = []
        for grant in self.grants:
            moments = ends.get((grant.bot, grant.session, grant.term), [])
            later = bisect_right(moments, grant.heard)
            end = moments[later] if later < len(moments) else math.inf
            beliefs += [
                Belief(bot=grant.bot, session=grant.session, term=grant.term, start=since, end=until)
                for since, until in self.sessions.alive(grant.session, grant.heard, end)
            ]
        return sorted(beliefs, key=lambda belief: belief.start)

    def held(self, moments: Iterable[tuple[float, int | None]]) -> list[int]:
        """How many claims were believed in at each of these moments: by this pid, or (None) by anybody."""
        beliefs = self.beliefs()
        return [
            len(
                {
                    belief.bot
                    for belief in beliefs
                    if belief.start <= moment < belief.end
                    and pid in {None, self.sessions.pids.get(belief.session)}
                }
            )
            for moment, pid in moments
        ]
