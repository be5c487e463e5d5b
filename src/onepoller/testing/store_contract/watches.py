"""Promises about watches: who hears of what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from onepoller.coordination.stores.seam import Batch, Change, Swap
from onepoller.testing.store_contract.rig import Peer, Rig, promise

PATIENCE = 10.0
"""How long a test waits for a change before it fails; far above any store's slow look."""


class WatchPromises(Rig):
    """Watch, and the wake-ups of a batch."""

    @promise
    async def test_a_watch_begins_with_a_change(self) -> None:
        """What happened between the last read and the watch is not missed."""
        first = await self.alone()
        async with aclosing(_watch(first)) as changes:
            assert await _next(changes) == Change()

    @promise
    async def test_who_is_woken_sees_what_was_written(self) -> None:
        """A wake-up comes after the write can be seen."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        async with aclosing(_watch(second)) as changes:
            await _next(changes)
            given = replace(mine, holder=None, heir=second.id)
            await first.store.swap(first.session, Batch(swaps=[Swap(claim=given)], wake=[second.id]))
            await _next(changes)
            assert (await second.claim()).heir == second.id

    @promise
    async def test_a_write_that_wakes_nobody_is_found_all_the_same(self) -> None:
        """A slow look stands behind the wake-ups."""
        first, second = await self.pair()
        async with aclosing(_watch(second)) as changes:
            await _next(changes)
            await first.take()
            await _next(changes)
            assert (await second.claim()).holder == first.id

    @promise
    async def test_the_death_of_a_holder_is_heard(self) -> None:
        """Whoever watches hears of it, and may take the claim."""
        first, second = await self.pair()
        await first.take()
        async with aclosing(_watch(second)) as changes:
            await _next(changes)
            await self.die(first)
            await self.silence(first, seen_by=second)
            await _until_named(changes, first)
            assert await second.take(requires_over=first) is not None

    @promise
    async def test_the_silence_of_a_holder_is_heard(self) -> None:
        """A frozen process is named too, once its lease is over."""
        first, second = await self.pair()
        await first.take()
        async with aclosing(_watch(second)) as changes:
            await _next(changes)
            await self.silence(first, seen_by=second)
            await _until_named(changes, first)
            assert await second.take(requires_over=first) is not None

    @promise
    async def test_a_close_is_heard_by_everybody(self) -> None:
        """Close wakes all who wait."""
        first, second = await self.pair()
        third = await self.join(first, "third")
        await first.take()
        async with aclosing(_watch(second)) as seconds, aclosing(_watch(third)) as thirds:
            await _next(seconds)
            await _next(thirds)
            await first.store.close(first.session)
            await _next(seconds)
            await _next(thirds)
            assert (await third.claim()).holder is None

    @promise
    async def test_a_watch_ends_with_its_session(self) -> None:
        """After close there is nothing to wait for."""
        first, second = await self.pair()
        await first.store.close(first.session)
        async with aclosing(_watch(first)) as changes:
            left = [change async for change in changes]
        assert len(left) <= 1
        assert not await second.is_over()


def _watch(peer: Peer) -> AsyncGenerator[Change, None]:
    return cast("AsyncGenerator[Change, None]", peer.store.watch(peer.session))


async def _next(changes: AsyncIterator[Change]) -> Change:
    return await asyncio.wait_for(anext(changes), PATIENCE)


async def _until_named(changes: AsyncIterator[Change], peer: Peer) -> None:
    async with asyncio.timeout(PATIENCE):
        async for change in changes:
            if change.session == peer.id:
                return
