"""Whether COMMAND is started again after it has ended, and how long that waits. Pure.

The pause doubles with each end, from one second to a minute. A life takes one step of it back for each five
minutes that it lasted, and no more: a program that dies after eleven seconds, or after a minute, climbs to
the longest pause like one that dies at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST = 1.0
LONGEST = 60.0
STEPS = 7
"""1, 2, 4, 8, 16, 32, 60: ends beyond the seventh change nothing."""
FORGIVEN_EVERY = 300.0
"""So many seconds of life take one step back."""
SPREAD = 0.2
"""The pause is up to this part longer, by chance: a fleet does not start in step."""


class Restart(StrEnum):
    """After which end COMMAND is started again. A stop, a loss and a handover are none of them."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How many steps of the pause are in use."""

    step: int = 0

    def after(self, *, lived: float, chance: float) -> tuple[Backoff, float]:
        """The backoff after one more life of so many seconds, and the pause before the next one."""
        forgiven = int(lived // FORGIVEN_EVERY)
        step = min(max(self.step - forgiven, 0) + 1, STEPS)
        pause = min(FIRST * 2.0 ** (step - 1), LONGEST)
        return Backoff(step=step), pause * (1.0 + SPREAD * chance)


def is_due(policy: Restart, *, code: int) -> bool:
    """Whether an end with this exit code is followed by a start."""
    return policy is Restart.ALWAYS or (policy is Restart.ON_FAILURE and code != 0)
