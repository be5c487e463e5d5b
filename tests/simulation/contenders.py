"""What bots do about a 409 without us: frameworks as they come, and remedies that people write themselves.

Pure: no clock. A contender says what its next call is and, told the answer, how many seconds later it comes.
The frameworks' pauses are those of `onepoller.testing.botapi.rivals`, observed on the real packages; their
log lines were counted there too. The remedies are rules found in public bots, each as simple as it can be:
their start-up calls and locks are left out, and where nothing else is known a 409 costs one log line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from onepoller.testing.botapi import BEHAVIOURS, Behaviour, Rival

CONFLICT, OK = 409, 200
RESTARTS = (0.1, 2.0, 60.0)
"""`restart: always` of Docker: waits so long at first, times the second each time, at most the third."""
LIVES = 10.0
"""Who has lived so long begins anew with these pauses."""
STARTS_IN = 1.0
"""Seconds from the start of a process to its first poll."""
TRIES = (20.0, 30.0, 40.0, 50.0, 60.0)
"""The pauses of a well-known gateway on python-telegram-bot; the sixth conflict is fatal."""

Call = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What one kind of bot does.

    tries: its pauses after one conflict after the other; beyond them it never polls again. The second success
        after a conflict makes it begin anew.
    drops: it calls deleteWebhook with drop_pending_updates at each 409.
    exits: its process ends at a 409 and is started again.
    """

    behaviour: Behaviour
    lines: int
    """In its log, for each 409."""
    tries: tuple[float, ...] = ()
    drops: bool = False
    exits: bool = False


def _loop(
    timeout: int, *, first: float, factor: float = 1.0, longest: float = 0.0, offset: int = 0
) -> Behaviour:
    longest = longest or first
    return Behaviour(timeout=timeout, first_offset=offset, first=first, factor=factor, longest=longest)


HABITS = {
    "python-telegram-bot": Habit(behaviour=BEHAVIOURS["ptb"], lines=29),
    "aiogram": Habit(behaviour=BEHAVIOURS["aiogram"], lines=2),
    "pyTelegramBotAPI": Habit(behaviour=BEHAVIOURS["telebot"], lines=1),
    "sleep 35 s": Habit(behaviour=_loop(30, first=35.0), lines=1),
    "back off, 1 to 64 s": Habit(behaviour=_loop(10, first=1.0, factor=2.0, longest=64.0), lines=1),
    "five tries, then fatal": Habit(behaviour=BEHAVIOURS["ptb"], lines=1, tries=TRIES),
    "delete webhook and drop": Habit(behaviour=BEHAVIOURS["aiogram"], lines=2, drops=True),
    "exit and restart": Habit(behaviour=_loop(30, first=1.0, offset=1), lines=20, exits=True),  # grammY 1.46
}


class Contender:
    """One bot with such a habit."""

    def __init__(self, habit: Habit, random: Random) -> None:
        self.habit = habit
        self._random = random
        self._rival = Rival(habit.behaviour, random)
        self._drops_next = False
        self._tried = 0
        self._succeeded = 0
        self._began = 0.0
        self._restart = 0.0

    def __repr__(self) -> str:
        return f"<Contender {self._rival}, {self._tried} tries>"

    def next_call(self) -> Call:
        """Give its next call."""
        if self._drops_next:
            return "deleteWebhook", {"drop_pending_updates": "true"}
        return "getUpdates", self._rival.arguments()

    def answered(self, *, status: int, update_ids: Sequence[int] = (), now: float) -> float:
        """Take an answer in; give the seconds until its next call, infinity where there is none."""
        if self._drops_next:
            self._drops_next = False
            return 0.0
        pause = self._rival.answered(status=status, update_ids=update_ids)
        if status == OK:
            self._succeeded += 1
            if self._succeeded > 1:
                self._tried = 0
        if status != CONFLICT:
            return pause
        self._succeeded = 0
        self._drops_next = self.habit.drops
        if self.habit.tries:
            self._tried += 1
            return (*self.habit.tries, math.inf)[self._tried - 1]
        return self._exit(now) if self.habit.exits else pause

    def _exit(self, now: float) -> float:
        """Start again as a new process, which remembers nothing."""
        first, factor, longest = RESTARTS
        lived = now - self._began
        again = first if lived >= LIVES or not self._restart else min(self._restart * factor, longest)
        self._restart = again
        self._began = now + again
        self._rival = Rival(self.habit.behaviour, self._random)
        return again + STARTS_IN
