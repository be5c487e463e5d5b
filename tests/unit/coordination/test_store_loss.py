"""A server as the store, and holders that cannot reach it: who polls, who delivers, who comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from onepoller.coordination import events, polled
from onepoller.coordination.events import Certainty, ClaimEvent
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role
from onepoller.coordination.stores.engine import EngineSession
from onepoller.coordination.stores.seam import Batch, Swap
from onepoller.testing.virtual import run_virtual
from tests.unit.coordination.test_instance import BOT, Process, World
from tests.unit.stores.server import Client, Server

DEADLINE = 9.0
"""Of a lease of 10 s."""


class Net(World):
    """A world whose store is a server; each process has a client of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server(clock=asyncio.get_running_loop().time)

    def process(self, name: str, **settings: Any) -> tuple[Process, Client]:
        """Start a process, and give its way to the server."""
        client = Client(self.server)
        self.store = client  # type: ignore[assignment]  # what the next process is given
        return Process(self, name, **settings), client


def net_test(body: Callable[[Net], Coroutine[Any, Any, None]]) -> None:
    """Run a body in a world with a server, on virtual time."""

    async def main() -> None:
        net = Net()
        try:
            await body(net)
        finally:
            await net.close()

    run_virtual(main())


def certainties(process: Process) -> list[Certainty]:
    """What it told of its claims."""
    return [event.certainty for event in process.of(events.CertaintyChanged)]


async def ended(net: Net, name: str) -> float:
    """The moment at which this process has no poll open any more."""
    for _ in range(10_000):
        if name not in net.pollers():
            break
        await asyncio.sleep(0.01)
    return net.now()


async def unanswered(net: Net) -> Process:
    """A holder whose calls to its store come to no end: nothing has failed yet."""
    holder, to_server = net.process("a")
    await asyncio.sleep(15)
    to_server.gives_up_after = 60.0
    to_server.is_away = True
    return holder


def test_a_poll_that_was_ended_before_the_deadline_is_not_sent_anew() -> None:
    """Also where no heartbeat has failed yet: it is on its way, and nobody knows that the store is away."""

    async def body(net: Net) -> None:
        a = await unanswered(net)
        deadline = a.session.deadline
        await asyncio.sleep(deadline - net.now() - 1)
        assert net.pollers() == ["a"]
        for _ in range(500):
            await asyncio.sleep(0.01)
            assert net.pollers() == [] or net.now() < deadline - 0.4
        assert certainties(a) == []

    net_test(body)


def test_a_poll_that_is_being_sent_when_the_others_are_ended_is_ended_too() -> None:
    """The sweep may have passed it by: there is another one before the deadline."""

    async def body(net: Net) -> None:
        a = await unanswered(net)
        deadline = a.session.deadline
        guard = a.instance.guards[BOT]
        sweep = guard.sweep

        def overlook(now: float) -> bool:
            flight = guard.flight
            if net.now() < deadline - 0.49:
                guard.flight = None
            ended = sweep(now)
            guard.flight = flight
            return ended

        guard.sweep = overlook  # type: ignore[method-assign]
        assert deadline - 0.49 < await ended(net, "a") < deadline

    net_test(body)


def test_a_holder_whose_store_is_away_ends_its_poll_before_its_deadline() -> None:
    """The open getUpdates too, however long its timeout; it says so once, and comes back by itself."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a")
        await asyncio.sleep(15)
        deadline = a.session.deadline
        to_server.is_away = True
        await asyncio.sleep(deadline - net.now() - 1)
        assert net.pollers() == ["a"]
        at = await ended(net, "a")
        assert deadline - 0.51 <= at < deadline - 0.4
        await asyncio.sleep(60)
        assert net.pollers() == []
        assert (a.role(), a.instance.guards[BOT].certainty) == (Role.STANDBY, Certainty.LOST)
        assert certainties(a) == [Certainty.UNCERTAIN, Certainty.LOST]

        to_server.is_away = False
        await asyncio.sleep(2)
        assert net.pollers() == ["a"]
        assert a.instance.guards[BOT].certainty is Certainty.HELD

    net_test(body)


def test_a_short_outage_disturbs_nobody() -> None:
    """Uncertain for a moment, and the same session in the same term."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a")
        await asyncio.sleep(15)
        before, session = len(net.telegram.log), a.session.id
        to_server.is_away = True
        await asyncio.sleep(5)
        assert a.instance.guards[BOT].certainty is Certainty.UNCERTAIN
        to_server.is_away = False
        await asyncio.sleep(20)
        assert a.session.id == session
        assert certainties(a) == [Certainty.UNCERTAIN, Certainty.HELD]
        assert len(net.telegram.log) - before <= 4, "polls of 10 s, none of them cut short"

    net_test(body)


def test_a_claim_that_nobody_took_meanwhile_comes_back_in_its_term() -> None:
    """The session was not ended by the server: a store that was away for everybody starts no fight."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a")
        await asyncio.sleep(15)
        term = a.instance.guards[BOT].state.term
        to_server.is_away = True
        await asyncio.sleep(DEADLINE + 0.5)
        assert a.role() is Role.STANDBY
        to_server.is_away = False
        await asyncio.sleep(2)
        assert a.instance.guards[BOT].state.term == term

    net_test(body)


def test_a_standby_takes_over_from_a_holder_that_is_cut_off_and_two_never_poll() -> None:
    """Its poll has ended before the lease has."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a")
        await asyncio.sleep(5)
        b, _ = net.process("b")
        await asyncio.sleep(5)
        to_server.is_away = True
        await asyncio.sleep(12)
        assert net.pollers() == ["b"]
        to_server.is_away = False
        await asyncio.sleep(5)
        assert (a.role(), b.role()) == (Role.STANDBY, Role.POLLING)
        assert [p.instance.guards[BOT].certainty for p in (a, b)] == [None, Certainty.HELD]
        assert net.telegram.two == []
        expired = [e.cause for e in a.of(events.ClaimChanged) if e.event is ClaimEvent.EXPIRED]
        assert expired == [events.Cause.STORE]

    net_test(body)


def test_told_to_hold_it_polls_on_and_delivers() -> None:
    """For as long as nobody else is seen; and says so."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a", on_store_loss="hold")
        await asyncio.sleep(15)
        to_server.is_away = True
        await asyncio.sleep(200)
        net.telegram.push(100)
        await asyncio.sleep(3)
        assert a.got == [100]
        assert (a.role(), a.instance.guards[BOT].certainty) == (Role.POLLING, Certainty.LOST)
        assert [e.holds for e in a.of(events.CertaintyChanged)] == [False, True]
        to_server.is_away = False
        await asyncio.sleep(30)
        assert net.pollers() == ["a"]

    net_test(body)


def test_while_it_holds_on_it_looks_once_a_minute_who_else_polls() -> None:
    """By peeks, which confirm nothing."""

    async def body(net: Net) -> None:
        _, to_server = net.process("a", on_store_loss="hold")
        await asyncio.sleep(15)
        to_server.is_away = True
        since = net.now()
        await asyncio.sleep(300)
        looks = [at for at, _, offset in net.telegram.log if 2 <= offset <= 999 and at > since]
        assert 4 <= len(looks) <= 6

    net_test(body)


def test_a_thawed_holder_whose_store_is_away_asks_it_before_anything_is_sent() -> None:
    """Not before each try of a busy loop: it stands by at the first answer that does not come."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a")
        await asyncio.sleep(15)
        session = a.session
        assert isinstance(session, EngineSession)
        to_server.is_away = True
        session._beaten_at -= 60  # as if the process had been frozen for a minute
        before = len(a.seen)
        await asyncio.sleep(30)
        assert (a.role(), net.pollers()) == (Role.STANDBY, [])
        assert len(a.seen) - before < 60

    net_test(body)


def test_a_holder_that_beats_and_hears_nothing_still_finds_out_that_it_was_fenced_out() -> None:
    """Its deadline moves on with each heartbeat: whoever fenced it out waits for one lease, and no longer."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a")
        await asyncio.sleep(15)
        to_server.is_deaf = True
        other = Client(net.server)
        session = await other.open(a.identity)
        claim = (await other.read({BOT})).claims[BOT]
        taken = replace(claim, holder=session.id, term=Term(claim.term + 1))
        assert (await other.swap(session, Batch(swaps=[Swap(claim=taken)]))).written
        await asyncio.sleep(5)
        assert (a.role(), net.pollers()) == (Role.STANDBY, [])

    net_test(body)


@pytest.mark.parametrize("seen_by", ["409", "look"])
def test_a_hold_ends_when_somebody_else_is_seen(seen_by: str) -> None:
    """Once told; it stands by until the store answers, and its late batch is dropped."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a", on_store_loss="hold")
        await asyncio.sleep(15)
        to_server.is_away = True
        await asyncio.sleep(30)
        guard = a.instance.guards[BOT]
        if seen_by == "409":
            polled.conflict_met(guard, "Conflict: terminated by other getUpdates request", 5.0)
        else:
            guard.looked(rival=True)
        await asyncio.sleep(60)
        assert (a.role(), net.pollers()) == (Role.STANDBY, [])
        assert a.of(events.HoldEnded) == [events.HoldEnded(bot_id=BOT)]
        to_server.is_away = False
        await asyncio.sleep(10)
        assert net.pollers() == ["a"]

    net_test(body)


def test_it_holds_on_to_nothing_once_the_store_has_answered_that_its_session_is_over() -> None:
    """A successor polls by then."""

    async def body(net: Net) -> None:
        a, to_server = net.process("a", on_store_loss="hold")
        await asyncio.sleep(5)
        b, _ = net.process("b")
        await asyncio.sleep(5)
        to_server.is_away = True
        await net.until(lambda: "b" in net.pollers())
        to_server.is_away = False
        await asyncio.sleep(2)
        assert (a.role(), b.role(), net.pollers()) == (Role.STANDBY, Role.POLLING, ["b"])

    net_test(body)


@pytest.mark.slow
def test_many_bots_cost_no_timer_each() -> None:
    """One sweep ends all of their polls before the deadline."""

    async def body(net: Net) -> None:
        bots = tuple(range(1, 201))
        a, to_server = net.process("a", bots=bots)
        await asyncio.sleep(15)
        to_server.is_away = True
        deadline = a.session.deadline
        await asyncio.sleep(deadline - net.now() - 0.05)
        assert not any(net.pollers(bot) for bot in bots)
        to_server.is_away = False
        await asyncio.sleep(3)
        assert all(net.pollers(BotId(bot)) == ["a"] for bot in bots)
        assert certainties(a) == [Certainty.UNCERTAIN, Certainty.LOST, Certainty.HELD]

    net_test(body)


def test_a_session_beats_twice_before_a_deadline_that_is_earlier_than_its_lease_says() -> None:
    """As on a server that keeps a shorter lease than was asked for: one heartbeat may be lost."""

    async def body(net: Net) -> None:
        a, _ = net.process("a", lease=30.0)  # the server's is 10 s
        await asyncio.sleep(15)
        before = len(a.of(events.BeatEnded))
        await asyncio.sleep(10 * DEADLINE)
        assert len(a.of(events.BeatEnded)) - before >= 2 * 10
        assert certainties(a) == []

    net_test(body)
