"""Promises about claims: versions, terms, and what must be proved."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.seam import Batch, Claim, Episode, Liveness, Offset, Standing, Swap
from onepoller.testing.store_contract.rig import BOT, OTHER, Rig, promise


class ClaimPromises(Rig):
    """Read and swap."""

    @promise
    async def test_a_claim_that_was_never_written_is_free(self) -> None:
        """It has version 0, and no holder."""
        first = await self.alone()
        assert await first.claim() == Claim(bot_id=BOT)

    @promise
    async def test_a_claim_is_read_as_it_was_written(self) -> None:
        """Every field comes back, and the version is the next one."""
        first, second = await self.pair()
        claim = Claim(
            bot_id=BOT,
            holder=None,
            term=Term(2**60),
            since=1.5,
            heir=second.id,
            clean=False,
            offset=Offset(value=42, api_root="https://api.test", at=2.5),
            episode=Episode(
                kind=Kind.RIVAL, since=3.5, conflicts=7, detail="text", stands_by=True, next_probe=6.5
            ),
            standing=Standing(tenure=4.5, at=5.5),
        )
        await first.write(claim)
        assert await second.claim() == replace(claim, version=1)

    @promise
    async def test_a_standing_can_be_taken_off_a_claim(self) -> None:
        """A write without one leaves none behind."""
        first, second = await self.pair()
        mine = await first.write(Claim(bot_id=BOT, standing=Standing(tenure=4.5, at=5.5)))
        assert mine is not None
        await first.write(replace(mine, standing=None))
        assert (await second.claim()).standing is None

    @promise
    async def test_a_swap_tells_what_it_wrote(self) -> None:
        """Swap gives the claims as they are read afterwards."""
        first, second = await self.pair()
        assert await first.take() == await second.claim()

    @promise
    async def test_terms_of_a_new_claim_begin_at_the_stores_first(self) -> None:
        """Term 0 of a claim that was never written is replaced, and the next one goes on from there."""
        first = await self.alone()
        freed = await first.write(Claim(bot_id=BOT))
        taken = await first.take()
        assert freed is not None
        assert taken is not None
        assert (freed.term > 0, taken.term) == (True, freed.term + 1)

    @promise
    async def test_a_swap_of_an_older_version_is_refused(self) -> None:
        """Where another write came first, nothing changes."""
        first, second = await self.pair()
        seen = await second.claim()
        taken = await first.take()
        assert await second.write(replace(seen, holder=second.id, term=Term(9))) is None
        assert await second.claim() == taken

    @promise
    async def test_a_swap_of_a_version_to_come_is_refused(self) -> None:
        """Only the version that stands is the expected one."""
        first = await self.alone()
        assert await first.write(Claim(bot_id=BOT, version=1, holder=first.id)) is None

    @promise
    async def test_of_many_who_take_a_free_claim_one_gets_it(self) -> None:
        """Swaps at once are swaps one after the other."""
        first = await self.alone()
        peers = [first, *[await self.join(first) for _ in range(4)]]
        seen = await first.claim()
        won = await asyncio.gather(*(peer.write(replace(seen, holder=peer.id)) for peer in peers))
        assert len([claim for claim in won if claim]) == 1

    @promise
    async def test_a_refused_claim_does_not_hinder_the_others(self) -> None:
        """Each claim of a batch is written or refused by itself."""
        first, second = await self.pair()
        await first.take()
        stale = Swap(claim=Claim(bot_id=BOT, holder=second.id))
        sound = Swap(claim=Claim(bot_id=OTHER, holder=second.id))
        written = (await second.store.swap(second.session, Batch(swaps=[stale, sound]))).written
        assert list(written) == [OTHER]

    @promise
    async def test_a_claim_of_a_living_session_cannot_be_taken_as_a_dead_ones(self) -> None:
        """A swap whose condition cannot be proved is refused."""
        first, second = await self.pair()
        await first.take()
        assert await second.take(requires_over=first) is None

    @promise
    async def test_a_refused_takeover_leaves_the_holder_alone(self) -> None:
        """Who could not be proved over goes on."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        await second.take(requires_over=first)
        await first.store.beat(first.session, confirm=True)
        assert first.session.has_claim(BOT, mine.term)

    @promise
    async def test_a_claim_of_a_silent_session_can_be_taken(self) -> None:
        """Silence for a lease is proof enough."""
        first, second = await self.pair()
        await first.take()
        await self.silence(first, seen_by=second)
        taken = await second.take(requires_over=first)
        assert taken is not None
        assert taken.holder == second.id

    @promise
    async def test_a_claim_of_a_dead_session_can_be_taken(self) -> None:
        """Death is proved within a lease."""
        first, second = await self.pair()
        await first.take()
        await self.die(first)
        await self.silence(first, seen_by=second)
        assert await second.take(requires_over=first) is not None

    @promise
    async def test_a_session_that_beat_again_is_no_longer_silent(self) -> None:
        """The proof is made in the same step as the write, not when the writer last looked; or it is over."""
        first, second = await self.pair()
        await first.take()
        await self.silence(first, seen_by=second)
        if self.ends_the_silent:
            assert await first.is_over()
            assert await second.take(requires_over=first) is not None
            return
        await first.store.beat(first.session, confirm=True)
        assert await second.take(requires_over=first) is None

    @promise
    async def test_a_takeover_of_an_older_version_ends_nobody(self) -> None:
        """Only the condition of a claim whose version stands is looked at."""
        first, second = await self.pair()
        seen = await second.claim()
        await first.take()
        await self.silence(first, seen_by=second)
        await second.write(replace(seen, holder=second.id), requires_over=first)
        assert await second.liveness(first) is Liveness.SILENT

    @promise
    async def test_the_claims_left_by_an_ended_session_can_be_taken_later(self) -> None:
        """A session that is over stays a condition that holds."""
        first, second = await self.pair()
        await first.take()
        await first.take(OTHER)
        await self.silence(first, seen_by=second)
        await second.take(requires_over=first)
        assert await second.take(OTHER, requires_over=first) is not None

    @promise
    async def test_a_holder_may_change_on_the_version_alone(self) -> None:
        """A transfer needs no proof. Who is given a claim reads it before it looks: a look asks no server."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        given = await first.write(replace(mine, holder=second.id, term=Term(mine.term + 1)))
        assert given is not None
        assert await second.claim() == given
        assert second.session.has_claim(BOT, given.term)

    @promise
    async def test_many_claims_are_taken_over_in_one_call(self) -> None:
        """A thousand claims of one dead session go over together."""
        first, second = await self.pair()
        bots = [BotId(number) for number in range(1, 1001)]
        mine = [Swap(claim=Claim(bot_id=bot_id, holder=first.id)) for bot_id in bots]
        await first.store.swap(first.session, Batch(swaps=mine))
        await self.die(first)
        await self.silence(first, seen_by=second)
        claims = (await second.store.read(bots)).claims.values()
        theirs = [Swap(claim=replace(claim, holder=second.id), requires_over=first.id) for claim in claims]
        written = (await second.store.swap(second.session, Batch(swaps=theirs))).written
        assert {claim.holder for claim in written.values()} == {second.id}
        assert len(written) == len(bots)

    @promise
    async def test_a_read_of_some_bots_names_only_who_has_to_do_with_them(self) -> None:
        """Sessions of other bots are left out."""
        first, second = await self.pair()
        await first.take()
        await second.take(OTHER)
        assert set((await first.store.read([BOT])).sessions) == {first.id}

    @promise
    async def test_a_read_of_all_names_every_bot(self) -> None:
        """A read without bots gives whatever was written."""
        first, second = await self.pair()
        await first.take()
        await second.take(OTHER)
        assert set((await first.store.read()).claims) == {BOT, OTHER}
