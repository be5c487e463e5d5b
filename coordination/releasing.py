"""Letting go of claims that we hold: handed over to who asks or waits, released by the user, or at the end.

A handover ends our polls first and waits for the framework's last offset, then all of its claims go in one
transaction. What is let go is planned and told here; the negotiation reads and writes. Who waits is read
while our polls are still open: a few bots are without one for a round trip less, and what nobody waits for
is left alone.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from onepoller.coordination.agenda import Agenda
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.events import Cause, ClaimEvent
from onepoller.coordination.guard import Guard
from onepoller.coordination.holding import Holding
from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.plan import Plan, identity_of, others
from onepoller.coordination.queueing import Queueing
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.seam import Claim, Snapshot, Store, Swap
from onepoller.coordination.succession import line

ENDING_LIMIT = 1.0
"""On the way out the polls have so long to close their connections, seconds."""
FEW = 100
FRESH = 0.1
"""Who waits for a few claims may be known from so long before they are let go, seconds."""
OVERTIME = 20.0
"""A handover waits so much longer for a poll that cannot be ended."""


class Releasing:
    """The claims of one session that are on their way out."""

    def __init__(
        self,
        *,
        own: SessionId,
        store: Store,
        settings: Settings,
        clocks: Clocks,
        agenda: Agenda,
        queue: Queueing,
        holding: Holding,
        settle: Callable[[Iterable[BotId], Snapshot | None], Awaitable[None]],
    ) -> None:
        self.draining: set[BotId] = set()
        """Their polls are being ended: still ours, for no new call."""
        self.due: dict[BotId, tuple[Guard, Cause]] = {}
        """To be let go by the next settling. No poll of them is open."""
        self.released: dict[BotId, float] = {}
        """When each was let go."""
        self._heirs: dict[BotId, SessionId | None] = {}
        self._own = own
        self._store = store
        self._settings = settings
        self._clocks = clocks
        self._agenda = agenda
        self._queue = queue
        self._holding = holding
        self._settle = settle

    def release(self, guard: Guard, cause: Cause) -> None:
        """Let the claim, or the wish, go. No poll of it is open."""
        self.due[guard.bot_id] = (guard, cause)
        self._agenda.touch(guard.bot_id)

    def plan(self, claim: Claim, snapshot: Snapshot, plan: Plan) -> None:
        """Plan to let go what is due; withdraw the wish where it is not ours."""
        bot_id = claim.bot_id
        if claim.holder != self._own:
            guard, cause = self.due.pop(bot_id)
            self._heirs.pop(bot_id, None)
            self._holding.let_go(bot_id)
            if guard.grant is not None:  # the answer to our write was lost
                guard.lost(cause, to=identity_of(snapshot, claim.holder or claim.heir))
            wanted = self._queue.wanted.get(bot_id)
            if wanted is not None and wanted.waiting:
                self._agenda.touch(bot_id)
            else:
                self._queue.leave(bot_id, plan)
            return
        guard, _ = self.due[bot_id]
        directed = replace(claim, heir=self._heirs.get(bot_id))
        heir = next(iter(line(directed, others(snapshot, bot_id, self._own))), None)
        episode = self._holding.episodes.get(bot_id, claim.episode)
        offset = guard.offset_to_hand_over() or claim.offset
        free = replace(
            claim,
            holder=None,
            heir=heir,
            clean=True,
            offset=offset,
            episode=episode,
            standing=guard.incumbency.to_pass_on(guard.state),
        )
        plan.swaps.append(Swap(claim=free))
        plan.releasing[bot_id] = identity_of(snapshot, heir)
        if heir is not None:
            plan.wake.add(heir)

    def written(self, claim: Claim, plan: Plan) -> None:
        """The store has it: the claim is nobody's, or its heir's."""
        bot_id = claim.bot_id
        guard, cause = self.due.pop(bot_id)
        self._heirs.pop(bot_id, None)
        heir = plan.releasing.get(bot_id)
        self.released[bot_id] = self._clocks.monotonic()
        self._holding.let_go(bot_id)
        event = ClaimEvent.HANDED_OVER if cause is Cause.HANDED_OVER else ClaimEvent.RELEASED
        self._holding.tell(claim, event, cause, heir)
        if guard.grant is not None:
            guard.lost(cause, to=heir, since=self._clocks.wall())
        if bot_id in self._queue.wanted:
            self._agenda.touch(bot_id)

    async def hand_over(self, heirs: dict[BotId, SessionId | None], *, cause: Cause) -> bool:
        """End our polls and give these claims to their heirs, in one transaction; whether any was given.

        What nobody waits for stays as it is.
        """
        heirs = self._ours_to_give(heirs)
        try:
            return bool(heirs) and await self._hand_over(heirs, cause)
        finally:
            self._agenda.touch(*heirs)  # what was not written, for all we know, stays due

    async def _hand_over(self, heirs: dict[BotId, SessionId | None], cause: Cause) -> bool:
        held, guards = self._holding.claims, self._holding.guards
        seen = await self._store.read(heirs.keys())
        seen_at = self._clocks.monotonic()
        heirs = {
            b: heir
            for b, heir in self._ours_to_give(heirs).items()
            if line(seen.claims[b], others(seen, b, self._own))
        }
        if not heirs:
            return False
        self.draining.update(heirs)
        try:
            await self._drain(heirs)
            for bot_id in held.keys() & heirs.keys():
                self.due[bot_id] = (guards[bot_id], cause)
            self._heirs.update(heirs)
        finally:
            self.draining.difference_update(heirs)
        is_fresh = len(heirs) <= FEW and self._clocks.monotonic() < seen_at + FRESH
        await self._settle(heirs, seen if is_fresh and self._is_as_seen(seen, heirs) else None)
        for bot_id in (held.keys() & heirs.keys()) - self.due.keys():
            guards[bot_id].end_drain()
        return any(self.released.get(bot_id, -math.inf) >= seen_at for bot_id in heirs)

    def _ours_to_give(self, heirs: dict[BotId, SessionId | None]) -> dict[BotId, SessionId | None]:
        return {b: heir for b, heir in heirs.items() if b in self._holding.claims and b not in self.draining}

    def _is_as_seen(self, seen: Snapshot, bots: Iterable[BotId]) -> bool:
        """Whether what was seen can be built on."""
        held = self._holding.claims
        return all(bot_id in held and held[bot_id].version == seen.claims[bot_id].version for bot_id in bots)

    async def _drain(self, bots: Iterable[BotId]) -> None:
        guards = [self._holding.guards[bot_id] for bot_id in bots]
        waiters = {asyncio.ensure_future(asyncio.wrap_future(g.begin_drain())): g for g in guards}
        await asyncio.wait(waiters, timeout=self._settings.drain_timeout)
        late = [waiter for waiter, guard in waiters.items() if not waiter.done() and guard.drain.is_polling]
        if late:
            # A poll that cannot be ended is allowed to end; nobody may follow before it has.
            await asyncio.wait(late, timeout=OVERTIME + self._settings.drain_timeout)
        for waiter in waiters:
            waiter.cancel()

    async def pass_on(self, bot_id: BotId) -> None:
        """Give a claim to a peer that waits, because our own calls only fail."""
        await self.hand_over({bot_id: None}, cause=Cause.FAILING)

    async def is_awaited(self, bot_id: BotId) -> bool:
        """Whether another session waits for this claim."""
        return bool(await self._line(bot_id))

    async def _line(self, bot_id: BotId) -> list[SessionId]:
        snapshot = await self._store.read({bot_id})
        return line(snapshot.claims[bot_id], others(snapshot, bot_id, self._own))

    async def release_all(self, can_end: Callable[[Guard], bool]) -> None:
        """On the way out: end the polls that can be ended, and let go of everything, in one transaction."""
        guards = self._holding.guards
        ending = {bot_id for bot_id in self._holding.claims if can_end(guards[bot_id])}
        if ending:
            self.draining |= ending  # who is told that its poll has ended asks for the claim again
            drains = [asyncio.wrap_future(guards[bot_id].begin_drain()) for bot_id in ending]
            await asyncio.wait(drains, timeout=ENDING_LIMIT)
            self.draining -= ending
        for bot_id in list(self._holding.claims):
            self.due[bot_id] = (guards[bot_id], Cause.STOPPED)
        await self._settle(list(self.due), None)
