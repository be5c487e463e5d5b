"""Our own session on a server: what we know of it without asking.

The look before delivery cannot ask a server, so the fence is the session's own deadline: the send time of
its last good heartbeat, plus the lease, less a margin, on the boot clock. Whoever takes a claim away from a
living session waits `fence_wait` before it polls: by then every reply to the old holder is past its deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onepoller.coordination.identity import BotId, SessionId, Term, boot_clock
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import Claim


class EngineSession:
    """Alive from its opening until it is over. Its reads may be done from any thread."""

    def __init__(
        self, session_id: SessionId, *, lease: Lease, sent_at: float, clock: Callable[[], float] = boot_clock
    ) -> None:
        self.is_over = False
        self.had: frozenset[BotId] = frozenset()
        """What it held when it ended, if its deadline had not passed: see `Aftermath`."""
        self._id = session_id
        self._lease = lease
        self._beaten_at = sent_at
        self._clock = clock
        self._held: dict[BotId, Term] = {}

    def __repr__(self) -> str:
        state = "over" if self.is_over else "alive"
        return f"<{type(self).__name__} {self._id} {state}>"

    @property
    def id(self) -> SessionId:
        """The fresh random id."""
        return self._id

    @property
    def deadline(self) -> float:
        """Boot clock: after it nothing is sent or delivered before a beat that confirms."""
        return self._lease.deadline(self._beaten_at)

    @property
    def fence_wait(self) -> float:
        """See `Session`."""
        return self._lease.seconds

    def has_claim(self, bot_id: BotId, term: Term) -> bool:
        """Whether it was ours when we last heard of it, and nobody may have taken it since."""
        return self._held.get(bot_id) == term and not self.is_over and self._clock() < self.deadline

    def beaten(self, sent_at: float) -> None:
        """A heartbeat that was sent then (boot clock) was answered: the session lived when it arrived."""
        self._beaten_at = max(self._beaten_at, sent_at)

    def seen(self, claims: Iterable[Claim]) -> None:
        """This is how these claims are; whether by our own write or by somebody else's."""
        for claim in claims:
            if claim.holder == self._id:
                self._held[claim.bot_id] = claim.term
            else:
                self._held.pop(claim.bot_id, None)

    def give_up(self) -> None:
        """It ends in good order: what it had may be others' from now on."""
        self._held.clear()
        self.end()

    def end(self) -> None:
        """It is over, and never comes back."""
        if not self.is_over and self._clock() < self.deadline:
            self.had = frozenset(self._held)
        self.is_over = True
        self._held.clear()
