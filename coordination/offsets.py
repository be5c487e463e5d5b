"""What a bot's framework has acknowledged, what Telegram has accepted, and what is missing between batches.

Two offsets are remembered: *acknowledged*, the highest that the framework has sent, and *accepted*, the
highest carried by a call that Telegram has answered or that has been open for a second. An accepted offset
is never sent again as a confirm: with the same offset within 3 s the server turns a short call into a 3 s
poll that evicts whoever is parked (facts: server semantics, section 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onepoller.coordination.stores.seam import Offset

ARRIVED = 1.0
"""A call that has been open for so long has reached Telegram, and its offset with it, seconds."""
A_DAY = 86_400.0
"""An offset of the store that is older raises nothing: Telegram keeps updates for a day."""
_A_GAP = 100_000
"""A larger jump is a new queue with random ids, not a gap."""


@dataclass(slots=True)
class Offsets:
    """The offsets of one bot in one process. Changed by the caller's calls only."""

    acknowledged: int = 0
    accepted: int = 0
    delivered: int = 0
    """The highest update id that the framework was given and has not acknowledged; 0 if none."""
    floor: Offset | None = None
    """What the former holder's framework had acknowledged; until our first non-empty batch."""
    _next_id: int = 0
    _start: Offset | None = None
    """What the store knew when our term began."""
    _before: int = 0
    """What our framework had acknowledged until then: others may have come further since."""

    def called(self, offset: int) -> None:
        """The framework asks from here on."""
        self.acknowledged = max(self.acknowledged, offset)
        if offset > self.delivered:
            self.delivered = 0

    def outgoing(self, offset: int, *, api_root: str, now: float) -> int:
        """The offset to send: a smaller one is raised to what the former holder had acknowledged."""
        floor = self.floor
        if floor is None or offset < 0 or floor.api_root != api_root or now - floor.at > A_DAY:
            return offset
        return max(offset, floor.value)

    def accept(self, offset: int) -> None:
        """Telegram has processed a call with this offset."""
        self.accepted = max(self.accepted, offset)

    def is_accepted(self, offset: int) -> bool:
        """Whether sending this offset again would confirm nothing new."""
        return offset <= self.accepted

    def start_term(self, floor: Offset | None) -> None:
        """A new term: others may have polled since; only the store's offset tells how far they came."""
        self.floor = self._start = floor
        self._before = self.acknowledged
        self._next_id = floor.value if floor is not None else 0
        if floor is not None:
            self.accepted = max(self.accepted, floor.value)

    def received(self, ids: Sequence[int]) -> tuple[int, int]:
        """A batch that will be handed over. Returns (missed, repeated), both 0 where all is in order."""
        missed = repeated = 0
        if ids[0] < self._next_id:
            repeated = sum(1 for i in ids if i < self._next_id)
        expected = self._next_id or ids[0]
        jump = ids[-1] + 1 - expected - (len(ids) - repeated)
        if 0 < jump < _A_GAP:
            missed = jump
        self.floor = None
        self.delivered = ids[-1]
        self._next_id = ids[-1] + 1
        return missed, repeated

    def repeated(self, ids: Sequence[int], *, sent: int, api_root: str, now: float) -> int:
        """How many of a batch this framework has acknowledged, unheard by Telegram: the next poll says it.

        That of a framework that was started again, and asks with a smaller offset (`sent`). What comes
        all the same is of a queue with new ids. Who asks for the newest (a negative offset) means it.
        """
        if not 0 <= sent < self.acknowledged or self.acknowledged - ids[0] >= _A_GAP:
            return 0
        known = sum(1 for i in ids if i < self.acknowledged)
        if known:
            self.floor = Offset(value=self.acknowledged, api_root=api_root, at=now)
        return known

    def owes(self, offset: int) -> bool:
        """Whether this offset acknowledges what we handed over last, and Telegram has not heard it."""
        return 0 < offset == self._next_id and not self.is_accepted(offset)

    def refetched(self) -> None:
        """The last batch was not handed over; Telegram will give it again."""
        self._next_id = 0

    @property
    def unacknowledged(self) -> bool:
        """Whether the framework holds a batch that it has not acknowledged."""
        return self.delivered > 0

    def to_hand_over(self, *, api_root: str, now: float) -> Offset | None:
        """What a successor may start from: nothing where neither the store nor this term shows it."""
        known = self.floor or self._start
        if self.acknowledged <= self._before:
            return known
        value = self.acknowledged
        if known is not None and known.api_root == api_root:
            value = max(value, known.value)
        return Offset(value=value, api_root=api_root, at=now)
