"""What a holder holds, and whom a guard asks."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from onepoller.coordination import events
from onepoller.coordination.answer import Promised
from onepoller.coordination.crossing import Crossing
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.record import quick
from onepoller.coordination.stores.seam import Episode, Session

if TYPE_CHECKING:
    from onepoller.coordination.guard import Guard


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The claim, as its holder reads it: one immutable snapshot."""

    session: Session
    term: Term
    decided_at: float
    """When the instance decided to take it; monotonic."""
    cause: events.Cause


class Claims(Protocol):
    """What a guard asks of its instance. Callable from any thread."""

    @property
    def crossing(self) -> Crossing:
        """How callers' loops wait for what the runner's thread says."""
        ...

    @property
    def crowd(self) -> float:
        """How much more slowly each of many bots is to be watched: 1 for a few."""
        ...

    @property
    def certainty(self) -> events.Certainty:
        """How sure the claims of this process are."""
        ...

    @property
    def holds_on(self) -> bool:
        """Whether the store is away and we poll on past the deadline, as told."""
        ...

    def stand_by(self, guard: Guard) -> None:
        """Somebody else polls while we hold on without the store: wait until it answers."""
        ...

    def want(self, guard: Guard) -> Promised[bool]:
        """Have the claim, or wait for it; the answer is true once `guard.granted` was called."""
        ...

    def unwant(self, guard: Guard) -> None:
        """No call waits any more."""
        ...

    def let_go(self, guard: Guard, cause: events.Cause) -> None:
        """Release the claim, or the wish."""
        ...

    def is_awaited(self, bot_id: BotId) -> Future[bool]:
        """Whether another session waits for this claim."""
        ...

    def pass_on(self, guard: Guard) -> None:
        """Give the claim to a peer, if one waits."""
        ...

    def confirm(self) -> Future[bool]:
        """Beat again, inside the store's order of writes; false where the session is over."""
        ...

    def suspect(self, bot_id: BotId) -> None:
        """Look again whether this claim is ours: a look before delivery said no."""
        ...

    def note_episode(self, bot_id: BotId, episode: Episode | None) -> None:
        """Keep the open episode with the claim, for a successor."""
        ...

    def note_standing(self, bot_id: BotId) -> None:
        """Keep with the claim that its holder is on trial again."""
        ...

    def end_process(self, bot_id: BotId, reason: str) -> None:
        """End this process with exit code 75."""
        ...
