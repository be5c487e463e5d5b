"""Foreign pollers, as they behave: how long each waits after which answer, and what it asks next.

Pure: no clock. A rival says what its next call is and, told the answer, how many seconds later it comes. The
fake runs them inside itself; a simulation may run them wherever it likes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One framework's polling.

    A failure is followed by a pause: `first`, then each `factor` times the last, at most `longest`, with a
    normal jitter of `jitter`. Any success resets it. `between` is the pause after a success.
    """

    timeout: int
    first_offset: int | None
    first: float
    factor: float
    longest: float
    jitter: float = 0.0
    between: float = 0.0


# Observed intervals and their rules: one table per framework in the study that this fake rests on.
BEHAVIOURS: Mapping[str, Behaviour] = {
    "ptb": Behaviour(timeout=10, first_offset=0, first=1.0, factor=1.5, longest=30.0),
    "aiogram": Behaviour(timeout=10, first_offset=None, first=1.0, factor=1.3, longest=5.0, jitter=0.1),
    "telebot": Behaviour(timeout=20, first_offset=1, first=0.25, factor=2.0, longest=60.0),
    "fixed": Behaviour(timeout=30, first_offset=0, first=3.0, factor=1.0, longest=3.0),
    "short": Behaviour(timeout=0, first_offset=0, first=4.0, factor=1.0, longest=4.0, between=4.0),
}


class Rival:
    """One foreign poller: its offset and its present pause."""

    def __init__(self, behaviour: Behaviour, random: Random) -> None:
        self.behaviour = behaviour
        self._random = random
        self._offset = behaviour.first_offset
        self._pause = 0.0

    def __repr__(self) -> str:
        return f"<Rival at offset {self._offset}, pause {self._pause:.2f} s>"

    def arguments(self) -> dict[str, str]:
        """Give the parameters of its next getUpdates."""
        asked = {"timeout": str(self.behaviour.timeout)}
        if self._offset is not None:
            asked["offset"] = str(self._offset)
        return asked

    def answered(self, *, status: int, update_ids: Sequence[int] = ()) -> float:
        """Take an answer in; give the seconds until its next call."""
        behaviour = self.behaviour
        if status == OK:
            self._pause = 0.0
            if update_ids:
                self._offset = update_ids[-1] + 1
            return behaviour.between
        grown = self._pause * behaviour.factor if self._pause else behaviour.first
        self._pause = min(grown, behaviour.longest)
        if behaviour.jitter:
            return min(max(self._random.gauss(self._pause, behaviour.jitter), 0.0), behaviour.longest)
        return self._pause
