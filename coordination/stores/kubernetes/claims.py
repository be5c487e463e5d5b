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
from onepoller.coordination.stores.kubernetes.client import PAGE, WRITERS, Client
from onepoller.coordination.stores.kubernetes.failure import Conflict, Missing
from onepoller.coordination.stores.kubernetes.fresh import Fresh
from onepoller.coordination.stores.kubernetes.names import Names
from onepoller.coordination.stores.kubernetes.together import together
from onepoller.coordination.stores.seam import Claim

FEW = 4
"""So many Leases are read one by one for each page that a list of all would bring."""


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
        self.fresh = Fresh()
        self._known: dict[BotId, ClaimLease] = {}
        self._pages = 1
        """Of the last list of all."""

    async def read(self, bots: Collection[BotId] | None, *, trusting: bool) -> dict[BotId, Claim]:
        """The claims of these bots, or of all that have one.

        `trusting`: those that nobody has announced a change of are not read again.
        """
        if bots is None:
            bots = list(await self._listed(self._names.bots))
        else:
            await self._refresh(self.fresh.stale(bots) if trusting else bots)
        return {bot_id: self._known[bot_id].claim for bot_id in bots}

    async def _refresh(self, bots: Collection[BotId]) -> None:
        since = self.fresh.doubts
        if len(bots) <= FEW * self._pages:
            await together([self.look(bot_id) for bot_id in bots])
        else:
            found = await self._listed(self._names.bots)
            self._pages = 1 + len(found) // PAGE
            for bot_id in bots:
                if bot_id not in found:
                    self._keep(ClaimLease.of(bot_id, None))
        self.fresh.add(bots, since=since)

    async def held_by(self, session_id: SessionId) -> list[Claim]:
        """The claims of one session."""
        found = await self._listed(self._names.held_by(session_id))
        return [known.claim for known in found.values() if known.claim.holder == session_id]

    async def is_named(self, session_id: SessionId) -> bool:
        """Whether a claim names this session as its holder."""
        found, _ = await self._client.list_all(self._names.held_by(session_id), most=1)
        return bool(found)

    async def look(self, bot_id: BotId) -> Claim:
        """The claim as the server has it now."""
        lease = await self._client.get(self._names.bot(bot_id))
        return self._keep(ClaimLease.of(bot_id, lease)).claim

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
        known = await self._known_at(expected)
        if known is None:
            return None
        wanted = replace(expected, version=expected.version + 1)
        await may_write()
        holder = self._who(wanted.holder) if wanted.holder is not None else ""
        lease = known.body(self._names, wanted, holder=holder, lease=self._lease, now=time.time())
        since = self.fresh.doubts
        try:
            kept = await (self._client.update(lease) if known.exists else self._client.create(lease))
        except (Conflict, Missing) as refused:
            # No look at each of thousands that somebody else has taken: the caller reads them all at once.
            self.fresh.doubt([expected.bot_id])
            is_doubtful = isinstance(refused, Conflict) and refused.may_be_ours
            return await self._ours(wanted) if is_doubtful else None
        made = ClaimLease.of(expected.bot_id, kept)
        self._keep(made)
        self.fresh.add([expected.bot_id], since=since)
        return made.claim

    async def _known_at(self, expected: Claim) -> ClaimLease | None:
        """The Lease as the server is believed to have it, where it has the expected version."""
        known = self._known.get(expected.bot_id)
        if known is None and not expected.version:
            return ClaimLease.of(expected.bot_id, None)  # where there is one, its creation is refused
        if known is None or known.claim.version < expected.version:
            await self.look(expected.bot_id)
            known = self._known[expected.bot_id]
        return known if known.claim.version == expected.version else None

    async def _ours(self, wanted: Claim) -> Claim | None:
        """The claim, where it is as we wrote it, and only the answer was lost."""
        there = await self.look(wanted.bot_id)
        first = self._known[wanted.bot_id].first_term
        return there if there in (wanted, replace(wanted, term=first)) else None

    async def _listed(self, selector: str) -> dict[BotId, ClaimLease]:
        leases, _ = await self._client.list_all(selector)
        found = {}
        for lease in leases:
            bot_id = self._bot_of(name_of(lease))
            if bot_id is not None:
                found[bot_id] = self._keep(ClaimLease.of(bot_id, lease))
        return found

    def _keep(self, found: ClaimLease) -> ClaimLease:
        """Remember it, unless we know a later one: the answer to a read may come after that to a write."""
        known = self._known.get(found.claim.bot_id)
        if known is not None and known.is_later_than(found):
            return known
        self._known[found.claim.bot_id] = found
        return found

    def _bot_of(self, name: str) -> BotId | None:
        digits = name.removeprefix(self._names.bot(BotId(0))[:-1])
        return BotId(int(digits)) if digits.isdecimal() else None
