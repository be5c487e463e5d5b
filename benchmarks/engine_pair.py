"""A holder and a standby of one contender, which change places: told to, or because the holder falls."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from programs import Program, Silent

ASK_AGAIN = 1.5
"""Seconds until a holder that was told to hand over, and holds, is told again."""
MOST_ORDERS = 10


class Pair:
    """Two processes. `start` starts one that says `waiting` when it waits, and `claimed` when it has it."""

    def __init__(self, start: Callable[[], Program]) -> None:
        self._start = start
        self._holder = start()
        self._standby: Program | None = None
        self.fell_at = 0.0

    @property
    def holder(self) -> str:
        """The name by which the server knows who holds."""
        return self._holder.arguments["--name"]

    def await_holder(self) -> None:
        """Return once it holds, with the next one on its way."""
        self._holder.hear("claimed")
        self._standby = self._start()

    def await_standby(self) -> None:
        """Return once it waits."""
        assert self._standby is not None
        self._standby.hear("waiting")

    def hand_over(self) -> tuple[float, int]:
        """Tell the holder to let go, again where it took it back; seconds to the claim, and orders."""
        assert self._standby is not None
        asked = time.monotonic()
        for orders in range(1, MOST_ORDERS + 1):
            self._holder.tell("hand over")
            with suppress(Silent):
                while (claimed := self._standby.hear("claimed", timeout=ASK_AGAIN)) < asked:
                    pass  # what it told when it had been the holder
                self._holder, self._standby = self._standby, self._holder
                return claimed - asked, orders
        raise Silent(f"{self.holder} was told {MOST_ORDERS} times to hand over, and did not")

    def fell(self, how: Callable[[Program], None]) -> None:
        """Kill the holder, or freeze it."""
        self.fell_at = time.monotonic()
        how(self._holder)

    def follow(self, *, within: float) -> float | None:
        """Seconds from the fall until the standby had it; None: not in time.

        It is the holder from then on; where it was not in time, once the fallen one is gone. The next standby
        is started.
        """
        assert self._standby is not None
        seconds: float | None = None
        try:
            while (claimed := self._standby.hear("claimed", timeout=within)) < self.fell_at:
                pass  # as above
            seconds = claimed - self.fell_at
        except Silent:
            self._holder.end()
            self._standby.hear("claimed")
        self._holder.end()
        self._holder, self._standby = self._standby, self._start()
        return seconds

    def end(self) -> None:
        """End both."""
        for program in (self._holder, self._standby):
            if program is not None:
                program.end()
