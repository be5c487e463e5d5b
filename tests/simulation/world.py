"""The world: one time, the server, the processes, and whatever happens next.

It always goes to the earliest thing that is to happen: an event of its own (a message arrives, a fault
begins), a deadline of the server, or a timer of a process that neither sleeps nor is frozen. At equal times
in this order. Everything is drawn from one seed, so a run is the same each time.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from onepoller.testing.botapi import Answer, BotApi, Call, Reply, Rules

BOT = 42
TOKEN = f"{BOT}:simulated-test-secret-for-the-fake"
LATENCY = (0.015, 0.035)
"""A message takes between these seconds one way."""


class Running(Protocol):
    """A process, as the world drives it."""

    @property
    def wakes_at(self) -> float:
        """When it wants to run, on the world's clock."""
        ...

    def run(self) -> None:
        """Do all that is to be done now."""
        ...


class World:
    """One run."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self.api = BotApi(rules=rules, seed=seed)
        self.notes: list[tuple[float, str, object]] = []
        """What happened, for people: when, to whom, what."""
        self.processes: list[Running] = []
        self.closed_at: dict[int, float] = {}
        """When a client closed its connection; the server hears of it later."""
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._connections = itertools.count(1)
        self._answers: dict[int, Callable[[Answer], None]] = {}

    def note(self, who: str, what: object) -> None:
        """Write down what happened."""
        self.notes.append((self.now, who, what))

    def at(self, moment: float, callback: Callable[..., object], *args: Any) -> None:
        """Have something happen then."""
        heapq.heappush(self._events, (moment, next(self._order), callback, args))

    def after(self, seconds: float, callback: Callable[..., object], *args: Any) -> None:
        """Have something happen later."""
        self.at(self.now + seconds, callback, *args)

    def latency(self) -> float:
        """How long the next message takes."""
        return self.random.uniform(*LATENCY)

    def spend(self, seconds: float) -> None:
        """Time passes while somebody works."""
        self.now += seconds

    # The way to the server and back

    def send(
        self, poller: str, method: str, arguments: dict[str, str], answered: Callable[[Answer], None]
    ) -> int:
        """Send a call on its way. Gives its connection; `answered` is told when the server answers."""
        connection = next(self._connections)
        call = Call(connection=connection, token=TOKEN, method=method, arguments=arguments, poller=poller)
        self._answers[connection] = answered
        self.after(self.latency(), self._arrive, call)
        return connection

    def close(self, connection: int) -> None:
        """Close a connection; the server hears of it later."""
        if self._answers.pop(connection, None) is not None:
            self.closed_at[connection] = self.now
            self.after(self.latency(), self._closed, connection)

    def push(self, count: int) -> None:
        """Messages for the bot."""
        self.api.push(BOT, count, now=self.now)

    def _arrive(self, call: Call) -> None:
        self._dispatch(self.api.submit(call, self.now))
        if call.connection not in self._answers:  # it was closed before it came
            self.api.closed(call.connection, self.now)

    def _closed(self, connection: int) -> None:
        self.api.closed(connection, self.now)

    def _dispatch(self, answers: list[Answer]) -> None:
        for answer in answers:
            answered = self._answers.pop(answer.call.connection, None)
            if answered is not None and isinstance(answer.reply, Reply):
                answered(answer)

    # Time

    def run(self, until: float) -> None:
        """Let happen what happens until then."""
        events, api = self._events, self.api
        while True:
            event_at = events[0][0] if events else math.inf
            server_at = api.next_event_at()
            first, runner = until, None
            for process in self.processes:
                wakes_at = process.wakes_at
                if wakes_at < first:
                    first, runner = wakes_at, process
            if event_at <= first and (server_at is None or event_at <= server_at) and event_at < until:
                self.now = max(self.now, event_at)
                _, _, callback, args = heapq.heappop(events)
                callback(*args)
            elif server_at is not None and server_at <= first and server_at < until:
                self.now = max(self.now, server_at)
                self._dispatch(api.advance(self.now))
            elif runner is not None:
                self.now = max(self.now, first)
                runner.run()
            else:
                self.now = until
                return
