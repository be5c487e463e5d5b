"""Writing claims and wishes: transactions of a hundred claims, a few side by side, then the rest.

Each claim is a transaction of its own inside: it is written where its version is the expected one and its
holder, where that is asked for, has no key any more. A session whose key is gone never has one again, so from
the moment of that proof it is over for everybody; the mark that is left behind is for those who read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.etcd.gateway import Gateway
from onepoller.coordination.stores.etcd.keys import Keys
from onepoller.coordination.stores.etcd.refusal import LeaseGone
from onepoller.coordination.stores.etcd.session import EtcdSession, over
from onepoller.coordination.stores.etcd.wishes import Part, part_text
from onepoller.coordination.stores.etcd.words import Json, exists, has_version, nested, put, touch, txn
from onepoller.coordination.stores.records import claim_text
from onepoller.coordination.stores.seam import Batch, Claim, Swap, Wish

T = TypeVar("T")

MANY = 100
"""Claims, or other operations, in one transaction: etcd allows 128 operations."""
PARTS = 16
"""Parts of the wishes in one transaction: those of many bots are large."""
SIDE_BY_SIDE = 8
"""Transactions under way at once."""


class Writing:
    """The writes of one process."""

    def __init__(
        self, gateway: Gateway, keys: Keys, *, written: Callable[[Sequence[Claim], int], None]
    ) -> None:
        self._gateway = gateway
        self._keys = keys
        self._written = written
        """Told of the claims of each transaction, and its revision."""

    async def write(self, session: EtcdSession, batch: Batch) -> dict[BotId, Claim]:
        """Write a batch. Gives the claims that were written."""
        if any(wish.session != session.id for wish in batch.wishes):
            raise ValueError("a session writes its own wishes only")
        if len(batch.swaps) == 1 and not batch.wishes and len(batch.wake) < MANY:
            (swap,) = batch.swaps
            if all(bot_id == swap.claim.bot_id for bot_id in batch.withdrawn):
                return await self._one(session, swap, batch)
        wake = list(batch.wake)
        # Usually all is in one transaction, and whom it wakes see it with the wake-up: no second round trip.
        is_all = bool(batch.swaps) and len(batch.swaps) + len(wake) <= MANY and not batch.wishes
        written = await self.claims(session, batch.swaps, wake=wake if is_all else ())
        dead = {
            swap.requires_over
            for swap in batch.swaps
            if swap.requires_over is not None and swap.claim.bot_id in written
        }
        withdrawn = batch.taken_back(written)
        await self._rest(session, batch.wishes, withdrawn, dead=dead, wake=() if is_all else wake)
        return written

    async def claims(
        self, session: EtcdSession, swaps: Sequence[Swap], *, wake: Collection[SessionId] = ()
    ) -> dict[BotId, Claim]:
        """Write claims."""
        turns = asyncio.Semaphore(SIDE_BY_SIDE)

        async def chunk(some: Sequence[Swap]) -> dict[BotId, Claim]:
            async with turns:
                return await self._some_claims(session, some, wake=wake)

        writes = [asyncio.ensure_future(chunk(some)) for some in _chunks(swaps)]
        try:
            return {bot_id: claim for write in writes for bot_id, claim in (await write).items()}
        finally:
            for write in writes:
                write.cancel()
            await asyncio.gather(*writes, return_exceptions=True)

    async def _one(self, session: EtcdSession, swap: Swap, batch: Batch) -> dict[BotId, Claim]:
        """One bot changes hands, the usual case: one round trip for all of it."""
        claim = swap.claim.written(max(swap.claim.term, session.floor))
        async with session.writing:
            parts = session.wishes.after((), batch.withdrawn)
            marks = [self._mark(swap.requires_over)] if swap.requires_over is not None else []
            one = self._one_claim(swap, claim, [*self._puts(session, parts), *marks])
            answers, revision = await self._if_alive(session, [one, *self._wake_ups(batch.wake)])
            if not answers[0]["response_txn"].get("succeeded"):
                return {}
            session.wishes.written(parts, revision)
        self._written([claim], revision)
        return {claim.bot_id: claim}

    async def _some_claims(
        self, session: EtcdSession, swaps: Sequence[Swap], *, wake: Collection[SessionId]
    ) -> dict[BotId, Claim]:
        claims = [swap.claim.written(max(swap.claim.term, session.floor)) for swap in swaps]
        parts = [self._one_claim(swap, claim) for swap, claim in zip(swaps, claims, strict=True)]
        answers, revision = await self._if_alive(session, [*parts, *self._wake_ups(wake)])
        written = [
            claim
            for claim, answer in zip(claims, answers, strict=False)
            if answer["response_txn"].get("succeeded")
        ]
        self._written(written, revision)
        return {claim.bot_id: claim for claim in written}

    def _one_claim(self, swap: Swap, claim: Claim, beside: Sequence[Json] = ()) -> Json:
        key = self._keys.claim(claim.bot_id)
        conditions = [has_version(key, swap.claim.version)]
        if swap.requires_over is not None:
            conditions.append(has_version(self._keys.alive(swap.requires_over), 0))
        return nested(conditions, [put(key, claim_text(claim)), *beside])

    async def _rest(
        self,
        session: EtcdSession,
        made: Sequence[Wish],
        withdrawn: Collection[BotId],
        *,
        dead: Iterable[SessionId],
        wake: Collection[SessionId],
    ) -> None:
        """Wishes, marks and wake-ups; in one transaction where there are not very many."""
        ends = [*map(self._mark, dead), *self._wake_ups(wake)]
        async with session.writing:
            parts = list(session.wishes.after(made, withdrawn).items())
            while len(parts) > PARTS:
                await self._wishes(session, dict(parts[:PARTS]))
                del parts[:PARTS]
            if parts or ends:
                await self._wishes(session, dict(parts), ends[: MANY - PARTS])
        for few in _chunks(ends[MANY - PARTS :]):
            await self._if_alive(session, few)

    async def _wishes(
        self, session: EtcdSession, parts: dict[int, Part], beside: Sequence[Json] = ()
    ) -> None:
        _, revision = await self._if_alive(session, [*self._puts(session, parts), *beside])
        session.wishes.written(parts, revision)

    def _puts(self, session: EtcdSession, parts: dict[int, Part]) -> list[Json]:
        return [
            put(self._keys.wishes(session.id, number), part_text(part), lease=session.lease_id)
            for number, part in parts.items()
        ]

    def _mark(self, dead: SessionId) -> Json:
        is_known = exists(self._keys.record(dead))
        return nested([is_known, has_version(self._keys.alive(dead), 0)], [put(self._keys.over(dead), "")])

    def _wake_ups(self, sessions: Iterable[SessionId]) -> list[Json]:
        alive = [self._keys.alive(session) for session in sessions]
        return [nested([exists(key)], [touch(key)]) for key in alive]

    async def _if_alive(self, session: EtcdSession, operations: Sequence[Json]) -> tuple[list[Json], int]:
        """Do this if our session lives; what it did, and at which revision. Raises SessionOver."""
        is_alive = exists(self._keys.alive(session.id))
        request = txn([is_alive], [*operations, put(self._keys.generation, "")])
        try:
            answer = await self._gateway.call("kv/txn", request)
        except LeaseGone:
            answer = {}
        if not answer.get("succeeded"):
            session.end()
            raise over(session.id)
        return answer["responses"], int(answer["header"]["revision"])


def _chunks(things: Sequence[T]) -> Iterator[list[T]]:
    left = iter(things)
    while some := list(islice(left, MANY)):
        yield some
