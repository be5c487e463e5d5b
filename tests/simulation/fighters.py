"""Contenders at work in a world: a plain one as its habit says, and a guarded one, which is the real thing.

A guarded bot is the real instance and guard, as in every simulation, with the real log listener; under it is
aiogram. Both keep what their programs were given, and when how many lines were written to their logs.
"""

from __future__ import annotations

import logging
import math
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

from onepoller.coordination import events
from onepoller.metrics.logs import LogLines
from onepoller.testing.botapi import Answer, Reply
from tests.simulation.contenders import CONFLICT, OK, Contender
from tests.simulation.processes import Process
from tests.simulation.stage import RESTART_AFTER, Stage
from tests.simulation.world import World

_UPDATE_ID = re.compile(rb'"update_id":(\d+)')
Taken = list[tuple[float, tuple[int, ...]]]
"""When which updates were given to a program."""
Lines = list[tuple[float, int]]
"""When how many lines were written."""


class Fighter:
    """A contender at work in a world."""

    def __init__(self, world: World, name: str, contender: Contender) -> None:
        self.name = name
        self.taken: Taken = []
        self.lines: Lines = []
        self._world = world
        self._contender = contender

    def start(self) -> None:
        """Begin to poll."""
        method, arguments = self._contender.next_call()
        self._world.send(self.name, method, arguments, self._came)

    def _came(self, answer: Answer) -> None:
        self._world.after(self._world.latency(), self._answered, answer.reply)

    def _answered(self, reply: object) -> None:
        assert isinstance(reply, Reply)
        ids = tuple(int(found) for found in _UPDATE_ID.findall(reply.body)) if reply.status == OK else ()
        if ids:
            self.taken.append((self._world.now, ids))
        if reply.status == CONFLICT:
            self.lines.append((self._world.now, self._contender.habit.lines))
        pause = self._contender.answered(status=reply.status, update_ids=ids, now=self._world.now)
        if pause < math.inf:
            self._world.after(pause, self.start)


class Guarded:
    """The lives of a guarded bot, under a supervisor that starts it again where it ends itself."""

    def __init__(self, stage: Stage) -> None:
        self.lines: Lines = []
        self._stage = stage
        self._store = stage.store()

    @property
    def taken(self) -> Taken:
        """What the framework was given."""
        return [(taken.at, taken.ids) for life in self._stage.lives for taken in life.taken]

    def start(self) -> None:
        """Begin to poll."""
        name = f"ours-{len(self._stage.lives) + 1}"
        life = _Logged(self._stage.world, name, self._store, framework="aiogram", on_rival=self._stage.policy)
        self._stage.lives.append(life)
        self._look(life)

    def _look(self, life: Process) -> None:
        if life.is_alive:
            self._stage.world.after(1.0, self._look, life)
        else:
            self._stage.world.after(RESTART_AFTER, self.start)


class _Logged(Process):
    """A process whose log is written."""

    _lines: LogLines | None = None

    def _heard(self, event: events.Event) -> None:
        if self._lines is None:
            clock, wall = self.machine.monotonic, self.machine.wall
            self._lines = LogLines(self.instance.identity, clock=clock, wall=wall)
        self._lines(event)
        super()._heard(event)


class _Counter(logging.Handler):
    """Counts lines as they come."""

    def __init__(self, world: World, lines: Lines) -> None:
        super().__init__(logging.INFO)
        self._world = world
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((self._world.now, len(record.getMessage().splitlines())))


@contextmanager
def logged(stage: Stage, lines: Lines) -> Iterator[None]:
    """Count what our code logs in this run, and have it draw from this run's seed; clear away afterwards."""
    before, log = random.getstate(), logging.getLogger("onepoller")
    random.seed(f"{stage.random.random()}")
    counter, level = _Counter(stage.world, lines), log.level
    log.addHandler(counter)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        stage.clear()
        log.removeHandler(counter)
        log.setLevel(level)
        random.setstate(before)
