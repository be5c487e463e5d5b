"""What an adapter contributes to the contract: a driver that runs one bot with it, in this process.

A driver starts its framework as a user would, guarded or as it comes, and writes down what the bot handled
and what the framework said of errors. `drivers/` has one file for each; `conftest.DRIVERS` lists them.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol, Self, TypeVar

from onepoller import OnePoller
from onepoller.coordination.events import Event, RoleChanged

TIMEOUT = 2
"""Of each poll, seconds."""
SLACK = 2.0
"""So much longer a client waits for an answer: the server may make a poll of 2 s one of 3."""
PATIENCE = 10.0
"""How long anything that must happen may take."""
_VARIES = re.compile(r"\d{10}|\d+\.\d+|/_as/\w+")
_Told = TypeVar("_Told", bound=Event)
_run: ContextVar[Notes] = ContextVar("run")


class Record:
    """Lists that are written by any thread and read in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def _write(self, into: list[Any], what: object) -> None:
        self._loop.call_soon_threadsafe(self._written, into, what)

    def _written(self, into: list[Any], what: object) -> None:
        into.append(what)
        self._changed.set()

    async def wait(self, condition: Callable[[Self], bool]) -> None:
        """Wait until a condition on what is written here holds."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"after {PATIENCE} s: {self!r}") from None


class Notes(Record):
    """What one bot did."""

    def __init__(self) -> None:
        super().__init__()
        self.handled: list[int] = []
        """Ids of the updates that the handlers were given, in their order."""
        self.heard: list[str] = []
        """What the framework logged from WARNING up, or gave its loop: without ids, moments and names."""
        _run.set(self)  # every task that is made from here on is this run's

    def __repr__(self) -> str:
        return f"<Notes: handled {self.handled}, heard {self.heard}>"

    def handle(self, update_id: int) -> None:
        """An update was handled."""
        self._write(self.handled, update_id)

    def hear(self, text: str) -> None:
        """The framework said something of an error."""
        self._write(self.heard, _VARIES.sub("*", text))


class Told(Record):
    """What an instance told: a listener."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def __repr__(self) -> str:
        return f"<Told {self.events}>"

    def __call__(self, event: Event) -> None:
        """Listen."""
        self._write(self.events, event)

    def of(self, kind: type[_Told]) -> list[_Told]:
        """Give the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def roles(self) -> list[str]:
        """What the one bot of this instance was, in its order."""
        return [changed.role.label for changed in self.of(RoleChanged)]


class Ear(logging.Handler):
    """Writes what a framework logs into the notes of the run whose task or thread it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one line, with the error that it tells of."""
        notes = _run.get(None)
        if notes is not None:
            error = record.exc_info[1] if record.exc_info else None
            told = "" if error is None else f": {type(error).__name__}: {error}"
            notes.hear(f"{record.name}: {record.getMessage()}{told}")


class Running(Protocol):
    """One bot that polls, or waits for its turn."""

    notes: Notes

    async def stop(self) -> None:
        """End it as its framework ends, and its connections."""
        ...


class Driver(Protocol):
    """One adapter."""

    name: str
    dies_of: frozenset[str]
    """Faults after which the framework itself polls no more."""
    instead: Mapping[str, list[str]]
    """Faults that cannot reach the framework as they are, and what it hears of each."""

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Delete the webhook as frameworks do when they start (`drop`: the updates too), and poll.

        `poller` None: without onepoller. Raises what the framework raises where the start fails.
        """
        ...
