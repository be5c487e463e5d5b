"""Promises about wishes: their order, and who takes them back."""

from __future__ import annotations

from dataclasses import replace

from onepoller.coordination.identity import Term
from onepoller.coordination.stores.seam import Batch, Swap, Wish, WishMode
from onepoller.testing.store_contract.rig import BOT, OTHER, Rig, promise


class WishPromises(Rig):
    """Wishes of a batch."""

    @promise
    async def test_a_wish_is_read_as_it_was_written(self) -> None:
        """Every field but the place comes back."""
        first, second = await self.pair()
        wish = Wish(bot_id=BOT, session=first.id, priority=-3, mode=WishMode.REPLACE, aim=Term(2**60))
        await first.wish(wish)
        (read,) = await second.wishes()
        assert replace(read, since=0) == wish

    @promise
    async def test_wishes_are_read_in_order_of_arrival(self) -> None:
        """Who came first stands first, with the lower place."""
        first, second = await self.pair()
        await second.wish(Wish(bot_id=BOT, session=second.id))
        await first.wish(Wish(bot_id=BOT, session=first.id))
        wishes = await first.wishes()
        assert [wish.session for wish in wishes] == [second.id, first.id]
        assert wishes[0].since < wishes[1].since

    @promise
    async def test_a_renewed_wish_keeps_its_place(self) -> None:
        """Priority may change, the order of arrival does not."""
        first, second = await self.pair()
        await first.wish(Wish(bot_id=BOT, session=first.id))
        await second.wish(Wish(bot_id=BOT, session=second.id))
        before = (await first.wishes())[0]
        await first.wish(Wish(bot_id=BOT, session=first.id, priority=5))
        assert (await first.wishes())[0] == replace(before, priority=5)

    @promise
    async def test_a_withdrawn_wish_is_gone(self) -> None:
        """Others do not see it any more."""
        first, second = await self.pair()
        await first.wish(Wish(bot_id=BOT, session=first.id))
        await first.wish(withdrawn=[BOT])
        assert await second.wishes() == []

    @promise
    async def test_a_wish_stays_where_the_swap_of_its_bot_was_refused(self) -> None:
        """Who tried to take a claim and came too late keeps its place."""
        first, second = await self.pair()
        stale = await first.claim()
        await second.take()
        await first.wish(Wish(bot_id=BOT, session=first.id))
        late = replace(stale, holder=first.id, term=Term(stale.term + 1))
        await first.store.swap(first.session, Batch(swaps=[Swap(claim=late)], withdrawn=[BOT]))
        assert [wish.session for wish in await second.wishes()] == [first.id]

    @promise
    async def test_a_wish_made_again_goes_to_the_end(self) -> None:
        """A place that was given up is not kept."""
        first, second = await self.pair()
        await first.wish(Wish(bot_id=BOT, session=first.id))
        await second.wish(Wish(bot_id=BOT, session=second.id))
        await first.wish(withdrawn=[BOT])
        await first.wish(Wish(bot_id=BOT, session=first.id))
        assert [wish.session for wish in await first.wishes()] == [second.id, first.id]

    @promise
    async def test_withdrawing_one_wish_leaves_the_others(self) -> None:
        """Neither another bot's wish nor another session's goes with it."""
        first, second = await self.pair()
        await first.wish(Wish(bot_id=BOT, session=first.id), Wish(bot_id=OTHER, session=first.id))
        await second.wish(Wish(bot_id=BOT, session=second.id))
        await first.wish(withdrawn=[BOT])
        left = [wish.session for bot_id in (BOT, OTHER) for wish in await first.wishes(bot_id)]
        assert left == [second.id, first.id]

    @promise
    async def test_wishes_of_an_ended_session_are_left_out(self) -> None:
        """Who is over waits for nothing."""
        first, second = await self.pair()
        await first.take()
        await first.wish(Wish(bot_id=OTHER, session=first.id))
        await self.silence(first, seen_by=second)
        await second.take(requires_over=first)
        assert await second.wishes(OTHER) == []

    @promise
    async def test_a_session_cannot_wish_for_another(self) -> None:
        """A wish in somebody else's name is a mistake of the caller's."""
        first, second = await self.pair()
        try:
            await first.wish(Wish(bot_id=BOT, session=second.id))
        except ValueError:
            return
        raise AssertionError("a wish in another's name was written")
