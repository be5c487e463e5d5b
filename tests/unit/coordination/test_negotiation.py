"""When a settling begins: at once for a few bots, once for a whole fleet."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onepoller.coordination.answer import Answer
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, own_identity
from onepoller.coordination.negotiation import GATHER_LIMIT, GATHER_STEP, MANY, Negotiation
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch, Session, Swap, Swapped
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
            session=cast("Any", SimpleNamespace(id="own")),
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
