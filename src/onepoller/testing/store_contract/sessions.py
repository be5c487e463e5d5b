"""Promises about sessions: alive or over, never revived."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import Term
from onepoller.coordination.stores.seam import Batch, Liveness, Wish
from onepoller.testing.store_contract.rig import BOT, OTHER, Rig, identity, promise


class SessionPromises(Rig):
    """Open, close, beat, and the look before delivery."""

    @promise
    async def test_an_opened_session_is_alive_to_others(self) -> None:
        """A session is alive from its opening on."""
        first, second = await self.pair()
        assert await second.liveness(first) is Liveness.ALIVE

    @promise
    async def test_others_see_who_a_session_is(self) -> None:
        """Identity and lease are read as they were given."""
        first, second = await self.pair()
        seen = (await second.store.read()).sessions[first.id]
        assert (seen.identity, seen.lease) == (identity("first"), self.lease)

    @promise
    async def test_who_has_just_beaten_has_not_been_silent(self) -> None:
        """Far less than a lease; it need not be exact."""
        first, second = await self.pair()
        await self.pass_time(self.lease / 2)
        await first.store.beat(first.session)
        assert 0.0 <= (await second.store.read()).sessions[first.id].silence < self.lease / 2

    @promise
    async def test_others_read_what_the_last_beat_reported(self) -> None:
        """A shorter report replaces a longer one."""
        first, second = await self.pair()
        await first.store.beat(first.session, report=b"long report")
        await first.store.beat(first.session, report=b"short")
        assert (await second.store.read()).sessions[first.id].report == b"short"

    @promise
    async def test_a_beat_moves_the_deadline(self) -> None:
        """The deadline counts from the last beat."""
        first = await self.alone()
        before = first.session.deadline
        await self.pass_time(self.lease / 4)
        await first.store.beat(first.session)
        assert first.session.deadline >= before + self.lease / 4

    @promise
    async def test_a_session_that_beats_stays_alive(self) -> None:
        """Beats carry a session over any number of leases."""
        first, second = await self.pair()
        for _ in range(5):
            await self.pass_time(self.lease / 2)
            await first.store.beat(first.session)
            await second.liveness(first)
        assert await second.liveness(first) is Liveness.ALIVE

    @promise
    async def test_a_session_that_does_not_beat_for_a_lease_is_silent(self) -> None:
        """Silence for a lease is seen."""
        first, second = await self.pair()
        await self.silence(first, seen_by=second)
        assert await second.liveness(first) is Liveness.SILENT

    @promise
    async def test_a_silent_session_that_nobody_ended_goes_on(self) -> None:
        """Silence alone ends nothing: a beat that confirms makes it alive again; or it is over for good."""
        first, second = await self.pair()
        await self.silence(first, seen_by=second)
        if self.ends_the_silent:
            assert await first.is_over()
            return
        await first.store.beat(first.session, confirm=True)
        assert await second.liveness(first) is Liveness.ALIVE

    @promise
    async def test_a_dead_session_is_silent_within_a_lease(self) -> None:
        """A process that died is noticed, by its end or by its silence."""
        first, second = await self.pair()
        await self.die(first)
        await self.silence(first, seen_by=second)
        assert await second.liveness(first) is Liveness.SILENT

    @promise
    async def test_an_ended_session_is_over_for_everybody(self) -> None:
        """Who was proved over in a swap is over for a third one, who has seen nothing of it."""
        first, second = await self.pair()
        await first.take()
        await first.take(OTHER)
        await self.silence(first, seen_by=second)
        await second.take(requires_over=first)
        third = await self.join(second, "third")
        assert await third.liveness(first) is Liveness.OVER

    @promise
    async def test_an_ended_session_cannot_beat(self) -> None:
        """A thawed process is told that its session is over."""
        first, second = await self.pair()
        await first.take()
        await self.silence(first, seen_by=second)
        await second.take(requires_over=first)
        assert await first.is_over()

    @promise
    async def test_an_ended_session_writes_nothing(self) -> None:
        """A thawed process changes no claim, whatever version it expects."""
        first, second = await self.pair()
        await first.take()
        await self.silence(first, seen_by=second)
        taken = await second.take(requires_over=first)
        with suppress(SessionOver):
            await first.take()
        assert await second.claim() == taken

    @promise
    async def test_an_ended_session_has_no_claim(self) -> None:
        """The look before delivery is False once another has taken the claim."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        assert first.session.has_claim(BOT, mine.term)
        await self.silence(first, seen_by=second)
        await second.take(requires_over=first)
        assert not first.session.has_claim(BOT, mine.term)

    @promise
    async def test_an_ended_session_loses_the_claims_that_nobody_took(self) -> None:
        """A session that is over holds nothing, also where its name still stands."""
        first, second = await self.pair()
        await first.take()
        other = await first.take(OTHER)
        assert other is not None
        assert first.session.has_claim(OTHER, other.term)
        await self.silence(first, seen_by=second)
        await second.take(requires_over=first)
        assert not first.session.has_claim(OTHER, other.term)

    @promise
    async def test_the_holder_has_its_claim(self) -> None:
        """The look before delivery is True for the term that was granted."""
        first = await self.alone()
        mine = await first.take()
        assert mine is not None
        assert first.session.has_claim(BOT, mine.term)

    @promise
    async def test_the_holder_has_no_other_term(self) -> None:
        """The look before delivery is False for a term that is not the claim's."""
        first = await self.alone()
        mine = await first.take()
        assert mine is not None
        assert not first.session.has_claim(BOT, Term(mine.term - 1))

    @promise
    async def test_another_session_has_not_the_holders_claim(self) -> None:
        """The look before delivery is False for a standby."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        assert not second.session.has_claim(BOT, mine.term)

    @promise
    async def test_the_look_may_be_done_from_another_thread(self) -> None:
        """The look before delivery needs no event loop and no particular thread."""
        first = await self.alone()
        mine = await first.take()
        assert mine is not None
        assert await asyncio.to_thread(first.session.has_claim, BOT, mine.term)

    @promise
    async def test_a_closed_session_frees_its_claims_uncleanly(self) -> None:
        """Close frees what was not released, as a new version whose last poll was not ended."""
        first, second = await self.pair()
        mine = await first.take()
        assert mine is not None
        await first.store.close(first.session)
        freed = await second.claim()
        assert (freed.holder, freed.clean, freed.term, freed.version) == (
            None,
            False,
            mine.term,
            mine.version + 1,
        )

    @promise
    async def test_a_closed_session_takes_its_wishes_along(self) -> None:
        """Close withdraws all wishes."""
        first, second = await self.pair()
        await first.wish(Wish(bot_id=BOT, session=first.id))
        await first.store.close(first.session)
        assert await second.wishes() == []

    @promise
    async def test_closing_twice_changes_nothing(self) -> None:
        """Close is idempotent."""
        first, second = await self.pair()
        await first.take()
        await first.store.close(first.session)
        taken = await second.take()
        await first.store.close(first.session)
        assert await second.claim() == taken

    @promise
    async def test_closing_an_ended_session_leaves_the_successor_alone(self) -> None:
        """A thawed process that says goodbye frees nothing that is not its own."""
        first, second = await self.pair()
        await first.take()
        await self.silence(first, seen_by=second)
        taken = await second.take(requires_over=first)
        await first.store.close(first.session)
        assert await second.claim() == taken

    @promise
    async def test_a_closed_session_writes_nothing(self) -> None:
        """Swap raises SessionOver after close."""
        first = await self.alone()
        await first.store.close(first.session)
        try:
            await first.store.swap(first.session, Batch())
        except SessionOver:
            return
        raise AssertionError("a closed session was allowed to write")
