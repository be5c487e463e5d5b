"""When a settling begins, who is told first, and what goes with a claim from one poller to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onepoller.coordination.answer import Answer
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause
from onepoller.coordination.grant import Grant
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, SessionId, own_identity
from onepoller.coordination.negotiation import GATHER_LIMIT, GATHER_STEP, MANY, Negotiation
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import (
    Batch,
    Claim,
    Episode,
    Session,
    Snapshot,
    Standing,
    Swap,
    Swapped,
)
from onepoller.coordination.tenure import on_trial
from onepoller.testing.virtual import run_virtual


class Waiting:
    """As much of a guard as stands in line."""

    grant = None

    def __init__(self, bot_id: int) -> None:
        self.bot_id = BotId(bot_id)


@pytest.mark.parametrize(
    ("bursts", "expected"),
    [
        pytest.param([MANY], 0.0, id="a few bots wait for nobody"),
        pytest.param([MANY + 1], GATHER_STEP, id="a fleet that is complete waits for one step"),
        pytest.param([150, 150, 150], 3 * GATHER_STEP, id="a fleet that is starting is waited for"),
        pytest.param([150] * 100, GATHER_LIMIT, id="but not for ever"),
    ],
)
def test_a_fleet_is_one_batch(bursts: list[int], expected: float) -> None:
    """Its first claims are of no use while its last calls are being made."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        store: Any = MemoryStore(clock=loop.time)
        nothing: Any = None
        negotiation = Negotiation(
            store=store,
            session=cast("Any", SimpleNamespace(id="own", fence_wait=0.0)),
            settings=Settings(),
            clocks=Clocks(monotonic=loop.time),
            emit=lambda _: None,
            spawn=nothing,
            kill=nothing,
            aims={},
        )

        def come(first: int, count: int) -> None:
            for number in range(first, first + count):
                negotiation.want(cast("Guard", Waiting(number)), Answer())

        for step, count in enumerate(bursts):
            loop.call_at(step * GATHER_STEP - (GATHER_STEP / 2 if step else 0), come, step * 1000, count)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        began = loop.time()
        await negotiation.gather()

        assert loop.time() - began == pytest.approx(expected, abs=GATHER_STEP / 4)

    run_virtual(body())


def test_the_caller_is_woken_before_the_claim_is_told_to_listeners() -> None:
    """It knows its role by then; the rest of the telling is not in the way of its poll."""

    async def body() -> None:
        order: list[str] = []
        store = MemoryStore(clock=asyncio.get_running_loop().time)
        nothing: Any = None
        negotiation = Negotiation(
            store=store,
            session=await store.open(own_identity()),
            settings=Settings(),
            clocks=Clocks(),
            emit=lambda event: order.append(type(event).__name__),
            spawn=nothing,
            kill=nothing,
            aims={},
        )
        guard: Any = Waiting(42)
        guard.granted = lambda *_, **__: order.append("granted")
        call: Answer[bool] = Answer()
        call.add_done_callback(lambda _: order.append("answered"))
        negotiation.want(guard, call)
        await negotiation.settle_due()

        assert order == ["granted", "answered", "ClaimChanged"]

    run_virtual(body())


def test_a_claim_that_is_let_go_before_the_wish_is_written_is_not_missed() -> None:
    """Who lets go in between knows nobody to wake: the newcomer looks again once its wish stands."""

    async def body() -> None:
        store = MemoryStore(clock=asyncio.get_running_loop().time)
        holder, own = await store.open(own_identity()), await store.open(own_identity())
        first = (await store.read({BotId(42)})).claims[BotId(42)]
        taken = await store.swap(holder, Batch(swaps=[Swap(claim=replace(first, holder=holder.id))]))
        nothing: Any = None
        negotiation = Negotiation(
            store=store,
            session=own,
            settings=Settings(),
            clocks=Clocks(),
            emit=lambda _: None,
            spawn=nothing,
            kill=nothing,
            aims={},
        )
        lets_go = Batch(swaps=[Swap(claim=replace(taken.written[BotId(42)], holder=None))])
        roles: list[str] = []
        guard: Any = Waiting(42)

        def denied(*_: object) -> None:
            roles.append("standby")
            told.set()

        guard.denied, guard.granted = denied, lambda *_, **__: roles.append("polling")
        told = asyncio.Event()
        write = store.swap

        async def swap(session: Session, batch: Batch) -> Swapped:
            if told.is_set():
                told.clear()
                await write(holder, lets_go)
            return await write(session, batch)

        store.swap = swap  # type: ignore[method-assign]
        negotiation.want(guard, Answer())
        await negotiation.settle_due()
        await asyncio.wait_for(negotiation.agenda.wait(), 0.5)
        await negotiation.settle_due()

        assert roles == ["standby", "polling"]

    run_virtual(body())


class Holder:
    """As much of a guard as has a claim and lets it go: with a tenure of 70 s."""

    def __init__(self) -> None:
        self.bot_id = BotId(42)
        self.grant: Grant | None = None
        self.claim: Claim | None = None
        self.state = None
        self.incumbency = self

    def granted(self, grant: Grant, claim: Claim, **_: object) -> None:
        """It is ours."""
        self.grant, self.claim = grant, claim

    def denied(self, *_: object) -> None:
        """Somebody else has it."""

    def lost(self, *_: object, **__: object) -> None:
        """It is gone."""
        self.grant = None

    def offset_to_hand_over(self) -> None:
        """Nothing is known."""

    def to_pass_on(self, _: object) -> Standing:
        """What a successor goes on with."""
        return Standing(tenure=70.0, at=asyncio.get_running_loop().time())

    def to_note(self, _: object) -> Standing:
        """What the claim says meanwhile."""
        return on_trial(asyncio.get_running_loop().time())


class ForgetfulStore(MemoryStore):
    """As a store on a server: of who is over it knows nothing any more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)
        self._forgotten: set[SessionId] = set()

    def forget_silence_of(self, session: SessionId) -> None:
        """From now on."""
        self._forgotten.add(session)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Without those who were forgotten."""
        seen = await super().read(bots)
        known = {one: record for one, record in seen.sessions.items() if one not in self._forgotten}
        return replace(seen, sessions=known)


class Line:
    """Sessions of one store on virtual time, and the guards that stand in its line."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.store = ForgetfulStore(clock=self.loop.time)

    async def come(self) -> tuple[Negotiation, Any]:
        """A process whose first call waits for the bot."""
        nothing: Any = None
        time = self.loop.time
        negotiation = Negotiation(
            store=self.store,
            session=await self.store.open(own_identity()),
            settings=Settings(),
            clocks=Clocks(monotonic=time, boot=time, wall=time),
            emit=lambda _: None,
            spawn=nothing,
            kill=nothing,
            aims={},
        )
        guard: Any = Holder()
        negotiation.want(guard, Answer())
        await negotiation.settle_due()
        return negotiation, guard


def test_a_claim_that_is_let_go_carries_the_tenure_of_its_holder() -> None:
    """For whoever comes next, also where nobody waits yet."""

    async def body() -> None:
        line = Line()
        first, guard = await line.come()
        await asyncio.sleep(5)
        first.releasing.release(guard, Cause.STOPPED)
        await first.settle_due()

        assert (await line.store.read({BotId(42)})).claims[BotId(42)].standing == Standing(
            tenure=70.0, at=5.0
        )

    run_virtual(body())


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(15.0, Standing(tenure=70.0, at=0.0), id="a process that is started again goes on"),
        pytest.param(15.5, None, id="one that comes later is new"),
    ],
)
def test_what_was_let_go_is_taken_up_within_15_s(after: float, expected: Standing | None) -> None:
    """Counted from the letting go."""

    async def body() -> None:
        line = Line()
        first, guard = await line.come()
        first.releasing.release(guard, Cause.STOPPED)
        await first.settle_due()
        await asyncio.sleep(after)
        _, taker = await line.come()

        assert taker.claim.standing == expected

    run_virtual(body())


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(15.0, Standing(tenure=0.0, at=13.0), id="a process that is started again goes on"),
        pytest.param(15.5, None, id="one that comes later is new"),
    ],
)
def test_a_dead_holder_is_followed_within_15_s_of_its_last_beat(
    after: float, expected: Standing | None
) -> None:
    """Nobody could write its tenure: it counts from the beginning of its term."""

    async def body() -> None:
        line = Line()
        first, _ = await line.come()
        await asyncio.sleep(100)
        await line.store.beat(first.session)
        line.store.kill(first.session.id)
        await asyncio.sleep(after)
        _, taker = await line.come()

        assert taker.claim.standing == expected

    run_virtual(body())


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(15.0, Standing(tenure=0.0, at=13.0), id="it saw the holder alive a moment ago"),
        pytest.param(15.5, None, id="somebody else may have come meanwhile"),
    ],
)
def test_who_stood_in_line_follows_a_dead_holder_that_is_seen_within_15_s(
    after: float, expected: Standing | None
) -> None:
    """A peer that was frozen itself is new where it wakes up too late."""

    async def body() -> None:
        line = Line()
        first, _ = await line.come()
        second, taker = await line.come()
        await asyncio.sleep(100)
        await line.store.beat(first.session)
        line.store.kill(first.session.id)
        await asyncio.sleep(after)
        await second.changed(None)
        await second.settle_due()

        assert taker.claim.standing == expected

    run_virtual(body())


def test_a_fleet_that_is_taken_over_in_batches_is_followed_as_a_whole() -> None:
    """The first batch ends the dead session; what a store says of its silence then is not news."""

    async def body() -> None:
        line = Line()
        first, _ = await line.come()
        others: Any = Holder()
        others.bot_id = BotId(43)
        first.want(others, Answer())
        await first.settle_due()
        await asyncio.sleep(100)
        await line.store.beat(first.session)
        line.store.kill(first.session.id)
        await asyncio.sleep(2)
        second, taker = await line.come()
        line.store.forget_silence_of(first.session.id)
        last: Any = Holder()
        last.bot_id = BotId(43)
        second.want(last, Answer())
        await second.settle_due()

        assert taker.claim.standing == Standing(tenure=0.0, at=13.0)
        assert last.claim is not None
        assert last.claim.standing == Standing(tenure=0.0, at=13.0)

    run_virtual(body())


def test_an_episode_is_noted_with_the_standing_that_its_holder_has_by_now() -> None:
    """Who came back from a rival, and is on trial, does not leave its old standing behind."""

    async def body() -> None:
        line = Line()
        first, _ = await line.come()
        await asyncio.sleep(100)
        first.note_episode(BotId(42), Episode(kind=Kind.RIVAL, since=0.0))
        await first.settle_due()

        claim = (await line.store.read({BotId(42)})).claims[BotId(42)]
        assert claim.standing == Standing(tenure=0.0, at=113.0)

    run_virtual(body())


def test_a_standing_that_is_gone_is_noted_and_an_open_episode_stays() -> None:
    """A holder that was silent for too long is new, whoever asks."""

    async def body() -> None:
        line = Line()
        first, _ = await line.come()
        episode = Episode(kind=Kind.RIVAL, since=0.0)
        first.note_episode(BotId(42), episode)
        await first.settle_due()
        await asyncio.sleep(100)
        first.note_standing(BotId(42))
        await first.settle_due()

        claim = (await line.store.read({BotId(42)})).claims[BotId(42)]
        assert (claim.episode, claim.standing) == (episode, Standing(tenure=0.0, at=113.0))

    run_virtual(body())


def test_a_fleets_takeover_at_once_passes_the_standing_on_too() -> None:
    """The short way, without a look before it."""

    async def body() -> None:
        line = Line()
        first, guard = await line.come()
        first.releasing.release(guard, Cause.STOPPED)
        await first.settle_due()
        first, _ = await line.come()
        second, taker = await line.come()
        line.store.kill(first.session.id)
        await second.changed(first.session.id)

        assert taker.claim.standing == Standing(tenure=70.0, at=0.0)

    run_virtual(body())
