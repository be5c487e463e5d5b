"""The deadlines of the fake: a heap of moments on a clock that somebody else reads.

Nothing here waits. `run(now)` calls whatever is due, in the order of time, and of making for equal times, and
tells each the moment it was made for, not `now`: so a late caller changes no timing that the fake reports.
"""

import heapq
from collections.abc import Callable

Action = Callable[[float], None]


class Timer:
    """One deadline; `cancel` makes it never happen."""

    __slots__ = ("action", "at", "order")

    def __init__(self, at: float, order: int, action: Action) -> None:
        self.at = at
        self.order = order
        self.action: Action | None = action

    def __lt__(self, other: "Timer") -> bool:
        return (self.at, self.order) < (other.at, other.order)

    def cancel(self) -> None:
        """Never call the action; also drops what it refers to."""
        self.action = None


class Timers:
    """All deadlines of one fake server."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._made = 0

    def at(self, moment: float, action: Action) -> Timer:
        """Have the action called when the clock reads `moment`."""
        self._made += 1
        timer = Timer(moment, self._made, action)
        heapq.heappush(self._heap, timer)
        return timer

    def next_at(self) -> float | None:
        """Give the moment of the next deadline, or None."""
        heap = self._heap
        while heap and heap[0].action is None:
            heapq.heappop(heap)
        return heap[0].at if heap else None

    def run(self, now: float) -> None:
        """Call everything that is due at `now`, also what becomes due by it."""
        heap = self._heap
        while heap and heap[0].at <= now:
            timer = heapq.heappop(heap)
            if timer.action is not None:
                timer.action(timer.at)
