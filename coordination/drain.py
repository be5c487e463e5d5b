"""A drain: what a handover waits for. It is done when no poll is open and no batch is unacknowledged.

A successor that polled before that would end our poll, or be given again what our framework has.
"""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from onepoller.coordination.offsets import Offsets


class Drain:
    """Of one bot in one process; none is under way unless a handover is."""

    __slots__ = ("_offsets", "drained", "is_polling")

    def __init__(self, offsets: Offsets) -> None:
        self.is_polling = False
        """From before a poll is sent until its outcome has been looked at."""
        self._offsets = offsets
        self.drained: Future[None] | None = None
        """Done when it is; None: none is under way, and `settle` has nothing to see."""

    def begin(self) -> Future[None]:
        """A new one; the future is done when it is."""
        drained = self.drained = Future()
        return drained

    def settle(self) -> None:
        """Something has ended, or was acknowledged: see whether that was the last."""
        if self.drained is not None and not self.is_polling and not self._offsets.unacknowledged:
            self.cut_short()

    def cut_short(self) -> None:
        """The claim has gone: there is nothing more to wait for."""
        drained = self.drained
        if drained is not None and not drained.done():
            with suppress(InvalidStateError):  # the caller and the runner may both come to say so
                drained.set_result(None)

    def give_up(self) -> None:
        """The handover did not happen."""
        self.drained = None
