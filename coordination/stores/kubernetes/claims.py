"""Claims on the server: each in a Lease of its own, written by compare-and-swap on its resourceVersion.

What was read last is remembered, so that a write that expects it costs one request; a version that has moved
on meanwhile is refused by the server.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from onepoller.coordination.errors import OnepollerError, StoreUnavailable
from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.kubernetes.body import name_of
from onepoller.coordination.stores.kubernetes.claim_lease import ClaimLease
from onepoller.coordination.stores.kubernetes.client import WRITERS, Client
from onepoller.coordination.stores.kubernetes.failure import Conflict, Missing
from onepoller.coordination.stores.kubernetes.names import Names
from onepoller.coordination.stores.kubernetes.together import together
from onepoller.coordination.stores.seam import Claim

FEW = 20
"""So many Leases are read one by one; where it is more, a list of all is quicker."""
_TRIES = 3


class Claims:
    """The claims of a store."""

    def __init__(
        self, client: Client, names: Names, *, lease: float, who: Callable[[SessionId], str]
    ) -> None:
        self._client = client
        self._names = names
        self._lease = lease
        self._who = who
        """What people are shown as the holder."""
        self._known: dict[BotId, ClaimLease] = {}

    async def read(self, bots: Collection[BotId] | None) -> dict[BotId, Claim]:
        """The claims of these bots, or of all that have one."""
        if bots is not None and len(bots) <= FEW:
            await together([self.look(bot_id) for bot_id in bots])
        else:
            found = await self._listed(self._names.bots)
            for bot_id in found.keys() if bots is None else bots:
                self._known[bot_id] = found.get(bot_id) or ClaimLease.of(bot_id, None)
            bots = list(found) if bots is None else bots
        return {bot_id: self._known[bot_id].claim for bot_id in bots}

    async def held_by(self, session_id: SessionId) -> list[Claim]:
        """The claims of one session."""
        found = await self._listed(self._names.held_by(session_id))
        self._known |= found
        return [known.claim for known in found.values() if known.claim.holder == session_id]

    async def is_named(self, session_id: SessionId) -> bool:
        """Whether a claim names this session as its holder."""
        found, _ = await self._client.list_all(self._names.held_by(session_id), most=1)
        return bool(found)

    async def look(self, bot_id: BotId) -> Claim:
        """The claim as the server has it now."""
        lease = await self._client.get(self._names.bot(bot_id))
        known = self._known[bot_id] = ClaimLease.of(bot_id, lease)
        return known.claim

    async def write(
        self, claims: Sequence[Claim], *, may_write: Callable[[], Awaitable[None]]
    ) -> dict[BotId, Claim]:
        """Write these over the versions that they name, side by side; gives those that were written.

        `may_write` is asked before each write, and raises where its session is over. Raises StoreUnavailable
        where nothing was written, and trouble is the reason.
        """
        written: dict[BotId, Claim] = {}
        waiting = iter(claims)
        trouble: list[OnepollerError] = []

        async def work() -> None:
            for claim in waiting:
                if trouble:
                    return
                try:
                    done = await self._write_one(claim, may_write)
                except OnepollerError as error:
                    trouble.append(error)
                    return
                if done is not None:
                    written[done.bot_id] = done

        await together([work() for _ in range(min(WRITERS, len(claims)))])
        if trouble and (not written or not isinstance(trouble[0], StoreUnavailable)):
            raise trouble[0]
        return written

    async def _write_one(self, expected: Claim, may_write: Callable[[], Awaitable[None]]) -> Claim | None:
        """One claim; `expected.version` is the version to write over. None: it is another one."""
        bot_id, is_fresh = expected.bot_id, False
        wanted = replace(expected, version=expected.version + 1)
        for _ in range(_TRIES):
            known = self._known.get(bot_id)
            if known is None and not expected.version:
                known = ClaimLease.of(bot_id, None)  # where there is one all the same, the create is refused
            if known is None or (known.claim.version != expected.version and not is_fresh):
                await self.look(bot_id)
                is_fresh = True
                continue
            if known.claim.version != expected.version:
                # Ours all the same, where only the answer was lost (the first term is the server's).
                is_ours = known.claim == wanted or known.claim == replace(wanted, term=known.first_term)
                return known.claim if is_ours else None
            await may_write()
            if await self._send(known, wanted):
                return self._known[bot_id].claim
            await self.look(bot_id)
            is_fresh = True
        return None

    async def _send(self, known: ClaimLease, wanted: Claim) -> bool:
        holder = self._who(wanted.holder) if wanted.holder is not None else ""
        lease = known.body(self._names, wanted, holder=holder, lease=self._lease, now=time.time())
        try:
            if known.exists:
                kept = await self._client.update(lease)
            else:
                kept = await self._client.create(lease)
        except (Conflict, Missing):
            return False
        self._known[wanted.bot_id] = ClaimLease.of(wanted.bot_id, kept)
        return True

    async def _listed(self, selector: str) -> dict[BotId, ClaimLease]:
        leases, _ = await self._client.list_all(selector)
        found = {}
        for lease in leases:
            bot_id = self._bot_of(name_of(lease))
            if bot_id is not None:
                found[bot_id] = ClaimLease.of(bot_id, lease)
        return found

    def _bot_of(self, name: str) -> BotId | None:
        digits = name.removeprefix(self._names.bot(BotId(0))[:-1])
        return BotId(int(digits)) if digits.isdecimal() else None
