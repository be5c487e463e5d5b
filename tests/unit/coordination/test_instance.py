"""Instances, guards and the reference store together, on one virtual loop: who polls, and when it changes."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from onepoller.coordination import driving, events
from onepoller.coordination.answer import Answer, Promised
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.collector import FLEET
from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.events import Cause, ClaimEvent
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity
from onepoller.coordination.instance import Instance
from onepoller.coordination.report import Role
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.memory import MemorySession, MemoryStore
from onepoller.coordination.stores.seam import Batch, Session, Snapshot, Swapped
from onepoller.coordination.wire import Delivered, Manners, OnCancel, Refused, Request
from onepoller.testing.virtual import LoopRunner, run_virtual

BOT = BotId(42)
RTT = 0.01
"""Seconds from a question to its answer, where a store is far away."""
PTB = Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=True)


class Telegram:
    """Who polls which bot now, who has, and whether two ever did at once."""

    def __init__(self) -> None:
        self.open: dict[int, list[str]] = {}
        self.log: list[tuple[float, str, int]] = []
        self.two: list[tuple[float, list[str]]] = []
        self.updates: dict[int, list[int]] = {}

    def push(self, *ids: int) -> None:
        """Updates come for the bot of these tests."""
        self.updates.setdefault(BOT, []).extend(ids)


class Wire:
    """A long poll that lasts its timeout, or brings what is queued."""

    api_root = "http://api"

    def __init__(self, telegram: Telegram, name: str, bot_id: int, manners: Manners) -> None:
        self.telegram = telegram
        self.name = name
        self.bot_id = bot_id
        self.manners = manners
        self.fail: Exception | None = None

    async def poll(self, request: Request) -> Delivered | Refused:
        """Stay open for the timeout, or until updates come."""
        if self.fail is not None:
            await asyncio.sleep(1)
            raise self.fail
        now = asyncio.get_running_loop().time()
        pollers = self.telegram.open.setdefault(self.bot_id, [])
        pollers.append(self.name)
        self.telegram.log.append((now, self.name, request.offset))
        if len(pollers) > 1:
            self.telegram.two.append((now, list(pollers)))
        try:
            queue = self.telegram.updates.setdefault(self.bot_id, [])
            end = now + request.timeout
            while True:
                queue[:] = [u for u in queue if u >= request.offset]
                if queue:
                    return Delivered(update_ids=tuple(queue), reply=list(queue))
                if asyncio.get_running_loop().time() >= end:
                    return Delivered(update_ids=(), reply=[])
                await asyncio.sleep(0.05)
        finally:
            if self.name in pollers:
                pollers.remove(self.name)

    async def ask(self, method: str) -> dict[str, Any]:
        """No webhook."""
        return {"url": "", "method": method}


class Process:
    """One process: an instance on the virtual loop, and a bare polling loop a bot."""

    def __init__(
        self,
        world: World,
        name: str,
        *,
        bots: tuple[int, ...] = (BOT,),
        manners: Manners = PTB,
        handler: float = 0.0,
        **settings: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.world = world
        self.name = name
        self.seen: list[events.Event] = []
        self.ended: list[str] = []
        self.killed: list[Identity] = []
        self.got: list[int] = []
        self.handler = handler
        self.identity = Identity(
            host="h",
            boot_id="b",
            pid_namespace=1,
            pid=len(world.processes) + 1,
            start_ticks=1,
            started_at=0.0,
            label=name,
        )

        async def kill(identity: Identity) -> None:
            self.killed.append(identity)

        self.instance = Instance(
            store=world.store,
            identity=self.identity,
            settings=Settings.parse({"label": name, "on_rival": "hold", **settings}),
            emit=self.seen.append,
            end_process=self.ended.append,
            kill=kill,
            clocks=Clocks(monotonic=loop.time, boot=loop.time, wall=loop.time, chance=lambda: 0.5),
        )
        self.runner = LoopRunner(self.instance.run())
        self.instance.run_on(self.runner)
        self.wires = {b: Wire(world.telegram, name, b, manners) for b in bots}
        self.tasks = {b: loop.create_task(self._poll(BotId(b), wire)) for b, wire in self.wires.items()}
        world.processes.append(self)

    async def _poll(self, bot_id: BotId, wire: Wire) -> None:
        offset = 0
        while True:
            try:
                outcome = await driving.get_updates(
                    self.instance.guard(bot_id), Request(offset=offset, timeout=10.0), wire
                )
            except ConnectionError:
                await asyncio.sleep(1)
                continue
            if isinstance(outcome, Delivered) and outcome.update_ids:
                self.got += outcome.update_ids
                offset = outcome.update_ids[-1] + 1
                await asyncio.sleep(self.handler)

    @property
    def session(self) -> Session:
        """Its session in the store."""
        negotiation = self.instance._negotiation
        assert negotiation is not None
        return negotiation.session

    def role(self, bot_id: int = BOT) -> Role:
        """The role of a bot here."""
        return self.instance.guards[BotId(bot_id)].state.role

    def of(self, kind: type) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.seen if isinstance(event, kind)]

    def die(self) -> None:
        """SIGKILL: nothing is said, the store notices."""
        session = self.session
        for bot_id, task in self.tasks.items():
            task.cancel()
            if self.name in self.world.pollers(bot_id):
                self.world.telegram.open[bot_id].remove(self.name)  # the kernel closes its connections
        self.instance._negotiation = None  # a dead process closes nothing
        self.runner.stop(0)
        self.world.store.kill(session.id)

    async def stop(self) -> None:
        """The framework stops as on SIGTERM."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


class World:
    """Some processes around one store and one Telegram."""

    def __init__(self, *, fence_wait: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self.telegram = Telegram()
        self.store = MemoryStore(lease=10.0, clock=loop.time, fence_wait=fence_wait)
        self.processes: list[Process] = []

    def pollers(self, bot_id: int = BOT) -> list[str]:
        """Who is polling now."""
        return list(self.telegram.open.get(bot_id, []))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, on virtual time, for at most an hour."""
        for _ in range(7200):
            if holds():
                return
            await asyncio.sleep(0.5)
        raise AssertionError("it never came true")

    def now(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        """End everything."""
        for process in self.processes:
            await process.stop()
            process.runner.stop(0)
            await process.runner.join()


class Errors(logging.Handler):
    """What was logged as an error."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def world_test(
    body: Callable[[World], Coroutine[Any, Any, None]], *, may_overlap: bool = False, fence_wait: float = 0.0
) -> None:
    """Run a test body in a world on virtual time.

    `may_overlap`: a holder was fenced out; it polls on until it hears of it, and delivers nothing.
    `fence_wait`: so long it may even deliver, as where the store is a server.
    """

    async def main() -> None:
        world = World(fence_wait=fence_wait)
        try:
            await body(world)
        finally:
            await world.close()
        assert errors.said == [], "an instance has begun again after an internal error"
        assert may_overlap or world.telegram.two == [], "two polled at once"

    errors = Errors(level=logging.ERROR)
    log = logging.getLogger("onepoller")
    log.addHandler(errors)
    try:
        run_virtual(main())
    finally:
        log.removeHandler(errors)


def test_the_first_polls_and_the_second_stands_by() -> None:
    """One poller, and the standby knows who it is."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(60)

        assert (a.role(), b.role()) == (Role.POLLING, Role.STANDBY)
        assert {name for _, name, _ in world.telegram.log} == {"a"}
        assert [e.holder.label for e in b.of(events.RoleChanged) if e.role is Role.STANDBY] == ["a"]

    world_test(body)


def test_fifty_at_once_make_one_poller() -> None:
    """The race that this project was born from."""

    async def body(world: World) -> None:
        for number in range(50):
            Process(world, f"p{number}", start=["standby", "takeover", "replace"][number % 3])
        await asyncio.sleep(30)

        assert len(world.pollers()) == 1
        assert sum(p.role() is Role.POLLING for p in world.processes) == 1

    world_test(body)


def test_a_dead_holder_is_followed_at_once() -> None:
    """The next in line polls."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(5.2)
        died = world.now()
        a.die()
        await asyncio.sleep(1)

        assert world.pollers() == ["b"]
        first = next(at for at, name, _ in world.telegram.log if name == "b")
        assert first - died < 0.1
        assert [(e.event, e.cause) for e in b.of(events.ClaimChanged)] == [
            (ClaimEvent.DENIED, Cause.FREE),
            (ClaimEvent.TAKEN_OVER, Cause.DIED),
        ]

    world_test(body)


def test_a_stopped_holder_hands_its_offset_to_the_next_in_line() -> None:
    """Nothing is lost and nothing comes twice, though the successor's framework starts at 0."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(1)
        world.telegram.push(100, 101)
        await asyncio.sleep(1)
        await a.stop()
        await asyncio.sleep(1)
        world.telegram.push(102)
        await asyncio.sleep(1)

        assert (a.got, b.got) == ([100, 101], [102])

    world_test(body)


def wake_nobody(world: World) -> None:
    """As a store that has no way to: the heir finds the claim at its next look."""
    write = world.store.swap

    async def swap(session: Session, batch: Batch) -> Swapped:
        return await write(session, replace(batch, wake=()))

    world.store.swap = swap  # type: ignore[method-assign]  # that is the point


def test_who_hands_over_does_not_take_the_claim_back_from_an_heir_that_only_looks_now_and_then() -> None:
    """As in a store that has no way to wake anybody: the heir finds the claim at its next look."""

    async def body(world: World) -> None:
        wake_nobody(world)
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(5.3)
        asked = world.now()
        a.instance.hand_over(None)
        await asyncio.sleep(3)

        assert {name for at, name, _ in world.telegram.log if at > asked} == {"b"}
        assert (a.role(), b.role()) == (Role.STANDBY, Role.POLLING)

    world_test(body)


def test_who_has_handed_over_stands_in_line_again_before_the_heir_has_looked() -> None:
    """It only does not take: the bot may be handed back a moment later."""

    async def body(world: World) -> None:
        wake_nobody(world)
        a = Process(world, "a")
        await asyncio.sleep(1)
        Process(world, "b")
        await asyncio.sleep(5.3)
        handed = a.instance.hand_over(None)
        await asyncio.sleep(0.3)

        assert handed.result()
        snapshot = await world.store.read([BotId(BOT)])
        assert snapshot.claims[BotId(BOT)].holder is None
        assert a.session.id in {wish.session for wish in snapshot.wishes[BotId(BOT)]}

    world_test(body)


@pytest.mark.parametrize("was_done", [False, True], ids=["refused", "done"])
def test_a_handover_whose_write_is_not_answered_is_tried_again(*, was_done: bool) -> None:
    """Whether it was done or not: the heir polls, and the old holder does not ask again and again."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(5.3)
        own, swap, want = a.session, world.store.swap, a.instance.want
        failures, wants = [StoreUnavailable("the store does not answer")], []

        async def broken(session: Session, batch: Batch) -> Swapped:
            if session is not own or not batch.swaps or not failures:
                return await swap(session, batch)
            if was_done:
                await swap(session, batch)
            raise failures.pop()

        def counted(guard: Guard) -> Promised[bool]:
            wants.append(guard)
            return want(guard) if len(wants) < 100 else Answer()

        world.store.swap = broken  # type: ignore[method-assign]
        a.instance.want = counted  # type: ignore[method-assign]
        a.instance.hand_over(None)
        await asyncio.sleep(5)

        assert (world.pollers(), a.role(), b.role()) == (["b"], Role.STANDBY, Role.POLLING)
        assert a.instance.guards[BOT].grant is None
        assert len(wants) < 5

    world_test(body)


def far_away(world: World) -> list[tuple[float, str]]:
    """As a store on a server that answers after 10 ms; when each read and swap was asked for."""
    asked: list[tuple[float, str]] = []
    read, swap = world.store.read, world.store.swap

    async def slow_read(bots: Collection[BotId] | None = None) -> Snapshot:
        asked.append((world.now(), "read"))
        await asyncio.sleep(RTT / 2)
        snapshot = await read(bots)
        await asyncio.sleep(RTT / 2)
        return snapshot

    async def slow_swap(session: Session, batch: Batch) -> Swapped:
        asked.append((world.now(), "swap"))
        await asyncio.sleep(RTT / 2)
        swapped = await swap(session, batch)
        await asyncio.sleep(RTT / 2)
        return swapped

    world.store.read = slow_read  # type: ignore[method-assign]  # that is the point
    world.store.swap = slow_swap  # type: ignore[method-assign]  # as above
    return asked


async def no_poll_open(world: World, seconds: float) -> float:
    """For how long of these seconds nobody polled, looked at each millisecond."""
    without = 0
    for _ in range(round(seconds / 0.001)):
        await asyncio.sleep(0.001)
        without += not world.pollers()
    return without * 0.001


@pytest.mark.parametrize("bots", [1, 150])
def test_nothing_is_handed_over_where_nobody_waits(bots: int) -> None:
    """The poll stays open, and nobody is told that anything was handed over; told so is who asked."""

    async def body(world: World) -> None:
        a = Process(world, "a", bots=tuple(range(BOT, BOT + bots)))
        await asyncio.sleep(1.2)
        polls = len(world.telegram.log)
        handed = await asyncio.wrap_future(a.instance.hand_over(None))
        await asyncio.sleep(1)

        assert not handed
        assert len(world.telegram.log) == polls
        assert {event.event for event in a.of(events.ClaimChanged)} == {ClaimEvent.ACQUIRED}

    world_test(body)


def test_a_handover_reads_who_waits_before_it_ends_the_poll() -> None:
    """Then the bot waits for the holder's write, half a round trip, the heir's read and its write."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(5)
        far_away(world)
        a.instance.hand_over(None)
        gap = await no_poll_open(world, 1.0)

        assert (a.role(), b.role()) == (Role.STANDBY, Role.POLLING)
        assert gap == pytest.approx(2.5 * RTT, abs=0.003)

    world_test(body)


def test_who_has_handed_over_leaves_the_store_to_its_heir() -> None:
    """Nothing of its own is asked there before the heir may have the claim."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        Process(world, "b")
        await asyncio.sleep(5)
        asked = far_away(world)
        began = world.now()
        a.instance.hand_over(None)
        await asyncio.sleep(1)

        # The holder reads and writes, the heir reads and writes.
        assert [what for at, what in asked if at < began + 5 * RTT] == ["read", "swap", "read", "swap"]

    world_test(body)


def test_a_handover_that_waited_for_its_framework_looks_again_who_waits() -> None:
    """What it saw before is old by then: who was next has died meanwhile."""

    async def body(world: World) -> None:
        a = Process(world, "a", handler=2.0)
        await asyncio.sleep(1)
        b = Process(world, "b")
        await asyncio.sleep(1)
        c = Process(world, "c")
        await asyncio.sleep(5)
        world.telegram.push(7)
        await asyncio.sleep(0.1)  # the framework has it, and comes back in two seconds
        a.instance.hand_over(None)
        await asyncio.sleep(0.5)
        b.die()
        await world.until(lambda: c.role() is Role.POLLING)

        (handed,) = [seen for seen in a.of(events.ClaimChanged) if seen.event is ClaimEvent.HANDED_OVER]
        assert handed.other is not None
        assert handed.other.label == "c"

    world_test(body)


def test_takeover_asks_the_holder_and_gets_the_claim() -> None:
    """A deploy that does not wait."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(3)
        Process(world, "b", start="takeover")
        await asyncio.sleep(1)

        assert world.pollers() == ["b"]
        assert a.role() is Role.STANDBY
        assert [e.cause for e in a.of(events.ClaimChanged) if e.event is ClaimEvent.HANDED_OVER] == [
            Cause.HANDED_OVER
        ]

    world_test(body)


def test_several_takeovers_at_once_make_one_handover() -> None:
    """They all aim at the term that they saw; the first recorded wins, the others stand by."""

    async def body(world: World) -> None:
        Process(world, "a")
        await asyncio.sleep(3)
        for number in range(10):
            Process(world, f"b{number}", start="takeover")
        await asyncio.sleep(30)

        changes = [
            e for p in world.processes for e in p.of(events.ClaimChanged) if e.event is ClaimEvent.HANDED_OVER
        ]
        assert len(changes) == 1
        assert len(world.pollers()) == 1

    world_test(body)


async def busy_holder(world: World) -> Process:
    """One that handles a batch for so long that it hands nothing over."""
    process = Process(world, "a", drain_timeout=1000.0, handler=500.0, manners=Manners())
    await asyncio.sleep(1)
    world.telegram.push(100)
    await asyncio.sleep(1)
    return process


def test_replace_fences_a_holder_that_does_not_hand_over() -> None:
    """By the next term, after its time; what the old one has in hand is dropped by the look."""

    async def body(world: World) -> None:
        a = await busy_holder(world)
        b = Process(world, "b", start="replace", replace_after=15.0)
        await asyncio.sleep(10)
        assert b.role() is Role.STANDBY
        await asyncio.sleep(10)

        assert b.role() is Role.POLLING
        assert a.role() is Role.STANDBY
        assert [e.cause for e in b.of(events.ClaimChanged) if e.event is ClaimEvent.TAKEN_OVER] == [
            Cause.FENCED
        ]

    world_test(body, may_overlap=True)


def test_on_a_server_the_fence_waits_for_the_old_holders_deadline() -> None:
    """The look before delivery cannot ask a server: until its deadline the old holder may deliver."""

    async def body(world: World) -> None:
        a = await busy_holder(world)
        b = Process(world, "b", start="replace", replace_after=15.0)
        await asyncio.sleep(20)
        claim = (await world.store.read([BotId(BOT)])).claims[BotId(BOT)]
        assert (claim.holder, b.role()) == (None, Role.STANDBY)
        await asyncio.sleep(6)

        assert (a.role(), b.role()) == (Role.STANDBY, Role.POLLING)
        assert [e.cause for e in b.of(events.ClaimChanged) if e.event is ClaimEvent.TAKEN_OVER] == [
            Cause.FENCED
        ]

    world_test(body, fence_wait=10.0)


def test_a_fence_whose_maker_dies_leaves_the_claim_to_the_next() -> None:
    """It is kept for one who is gone."""

    async def body(world: World) -> None:
        await busy_holder(world)
        b = Process(world, "b", start="replace", replace_after=15.0)
        c = Process(world, "c")
        await asyncio.sleep(17)
        b.die()
        await world.until(lambda: c.role() is Role.POLLING)

    world_test(body, fence_wait=10.0)


def test_replace_with_kill_after_ends_exactly_the_holder() -> None:
    """It is named by its whole identity."""

    async def body(world: World) -> None:
        a = await busy_holder(world)
        b = Process(world, "b", start="replace", replace_after=30.0, kill_after=5.0)
        await asyncio.sleep(10)

        assert b.killed == [a.identity]

    world_test(body)


def test_without_standby_the_loser_ends() -> None:
    """For supervisors that want it."""

    async def body(world: World) -> None:
        Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b", standby=False)
        await asyncio.sleep(1)

        assert len(b.ended) == 1

    world_test(body)


def test_a_dead_poll_loop_loses_the_claim_while_its_process_lives() -> None:
    """No poll, no claim: 20 s after the last answer."""

    async def body(world: World) -> None:
        a = Process(world, "a", manners=PTB)
        await asyncio.sleep(1)
        Process(world, "b")
        await asyncio.sleep(1)
        guard = a.instance.guards[BOT]
        a.handler = 1e6  # it handles for ever, and its framework fetches ahead: the poll loop is dead
        world.telegram.push(100)
        await asyncio.sleep(0.1)
        stopped = world.now()
        await world.until(lambda: world.pollers() == ["b"])

        assert 19 < world.now() - stopped < 22
        assert guard.presence.is_stalled
        assert len(a.of(events.Stalled)) == 1

    world_test(body)


def test_a_holder_whose_calls_only_fail_passes_the_claim_to_a_peer() -> None:
    """Its way to Telegram may be the broken one."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        Process(world, "b")
        await asyncio.sleep(1)
        a.wires[BOT].fail = ConnectionError("no route")
        await asyncio.sleep(80)

        assert world.pollers() == ["b"]
        assert [e.cause for e in a.of(events.ClaimChanged) if e.event is ClaimEvent.RELEASED] == [
            Cause.FAILING
        ]

    world_test(body)


def test_a_lost_session_is_replaced_and_the_bot_is_polled_again() -> None:
    """Never deaf."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(5)
        before = a.session.id
        world.store.kill(before)
        await asyncio.sleep(5)

        assert a.session.id != before
        assert world.pollers() == ["a"]
        assert len(a.of(events.SessionLost)) == 1

    world_test(body)


def test_a_store_that_is_away_is_tried_again_and_told_once() -> None:
    """The holder goes on until its deadline; then it stands by until the store is back."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(5)
        store = world.store
        away = {"now": True}
        beat, swap = store.beat, store.swap

        async def broken_beat(session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
            if away["now"]:
                raise StoreUnavailable("the store is away")
            await beat(session, report=report, confirm=confirm)

        async def broken_swap(session: Session, batch: Batch) -> Swapped:
            if away["now"]:
                raise StoreUnavailable("the store is away")
            return await swap(session, batch)

        store.beat, store.swap = broken_beat, broken_swap  # type: ignore[method-assign]
        await asyncio.sleep(5)
        assert world.pollers() == ["a"]
        away["now"] = False
        await asyncio.sleep(10)

        assert world.pollers() == ["a"]
        assert [e.text for e in a.of(events.StoreTrouble)][:1] == ["the store is away"]

    world_test(body)


def test_trouble_is_over_with_the_next_good_beat() -> None:
    """A holder in the steady state asks nothing else of the store."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(5)
        beat, failures = world.store.beat, [StoreUnavailable("the store is away")]

        async def broken(session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
            if failures:
                raise failures.pop()
            await beat(session, report=report, confirm=confirm)

        world.store.beat = broken  # type: ignore[method-assign]
        await asyncio.sleep(10)

        assert [e.text for e in a.of(events.StoreTrouble)] == ["the store is away", ""]

    world_test(body)


def test_what_changes_during_a_beat_is_told_with_another_one() -> None:
    """The report of a beat that is on its way says nothing of it."""

    async def body(world: World) -> None:
        loop = asyncio.get_running_loop()
        beat, at = world.store.beat, []

        async def slow(session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
            at.append(loop.time())
            await asyncio.sleep(1.0)
            await beat(session, report=report, confirm=confirm)

        world.store.beat = slow  # type: ignore[method-assign]
        started = loop.time()
        Process(world, "a")  # the first beat is its session's, the claim comes while it is on its way
        await asyncio.sleep(2.5)

        assert len([moment for moment in at if moment < started + 2.0]) == 2

    world_test(body)


def test_a_thousand_bots_move_in_a_few_writes() -> None:
    """However many bots there are, a takeover is a handful of store calls."""

    async def body(world: World) -> None:
        bots = tuple(range(1, 1001))
        a = Process(world, "a", bots=bots)
        await asyncio.sleep(1)
        b = Process(world, "b", bots=bots)
        await asyncio.sleep(2)
        swaps = []
        swap = world.store.swap

        async def counting(session: Session, batch: Batch) -> Swapped:
            swaps.append(len(batch.swaps))
            return await swap(session, batch)

        world.store.swap = counting  # type: ignore[method-assign]
        a.die()
        await asyncio.sleep(1)

        assert sum(b.role(bot) is Role.POLLING for bot in bots) == 1000
        assert sum(swaps) == 1000
        assert len(swaps) <= 3

    world_test(body)


def test_a_bot_that_is_retired_is_released() -> None:
    """The user stopped it; the peer polls."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        Process(world, "b")
        await asyncio.sleep(1)
        a.tasks[BOT].cancel()
        await asyncio.sleep(0.2)
        a.instance.retire(a.instance.guards[BOT])
        await asyncio.sleep(1)

        assert world.pollers() == ["b"]
        assert a.of(events.BotGone) == [events.BotGone(bot_id=BOT)]

    world_test(body)


def test_deleted_webhooks_are_counted_on_where_polling_is_stopped_and_started_again() -> None:
    """Three within an hour, whoever the guard is."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        before = a.instance.guards[BOT]
        a.instance.retire(before)

        assert a.instance.guard(BOT) is not before
        assert a.instance.guard(BOT).deletions is before.deletions

    world_test(body)


def test_a_bot_that_is_retired_and_called_for_again_is_granted_to_its_new_guard() -> None:
    """Its place in the line outlives the retired guard."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        b = Process(world, "b", manners=Manners())
        await asyncio.sleep(1)
        b.tasks[BOT].cancel()
        await asyncio.sleep(0.1)
        retired = b.instance.guards[BOT]
        b.instance.retire(retired)
        again = b.instance.guard(BOT)
        answer = b.instance.want(again)  # in one breath: the place in the line has not been left yet
        await asyncio.sleep(0.1)
        a.die()
        await asyncio.sleep(0.1)

        assert answer.done()
        assert (retired.grant is None, again.grant is None) == (True, False)

    world_test(body)


def test_a_look_that_failed_is_not_believed_before_the_session_is_confirmed() -> None:
    """The store's rows may still name us: one more poll on a dead session would be a second poller's."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(5)
        session, store = a.session, world.store
        assert isinstance(session, MemorySession)
        beat = store.beat

        async def slow_beat(session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
            await asyncio.sleep(0.5)
            await beat(session, report=report, confirm=confirm)

        store.beat = slow_beat  # type: ignore[method-assign]
        session.is_killed = True  # nobody is told
        world.telegram.push(100)
        await asyncio.sleep(3)

        assert [e.count for e in a.of(events.UpdatesDropped)] == [1]
        assert a.got == [100]

    world_test(body)


def test_a_question_is_answered_though_its_session_is_lost_meanwhile() -> None:
    """Whoever asks next would be given the same answer, which never came: each poll would wait for it."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(5)
        store, before = world.store, a.session.id
        beat = store.beat

        async def slow_beat(session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
            if confirm:
                await asyncio.sleep(3600)
            await beat(session, report=report, confirm=confirm)

        store.beat = slow_beat  # type: ignore[method-assign]
        asked = a.instance.confirm()
        await asyncio.sleep(1)
        store.kill(before)
        await asyncio.sleep(5)
        assert a.session.id != before
        assert (asked.done(), asked.result(0)) == (True, False)
        store.beat = beat  # type: ignore[method-assign]
        confirmed = a.instance.confirm()
        await asyncio.sleep(1)
        assert confirmed.result(0)

    world_test(body)


def test_a_question_that_comes_as_the_session_ends_is_put_to_the_next() -> None:
    """It was taken by the old session's loops, and never begun."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(5)
        store, before = world.store, a.session.id
        beat = store.beat
        asked = []

        async def last_beat(session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
            store.beat = beat  # type: ignore[method-assign]
            store.kill(before)
            asked.append(a.instance.has_peer(BOT))
            await beat(session, report=report, confirm=confirm)

        store.beat = last_beat  # type: ignore[method-assign]
        await asyncio.sleep(5)
        assert a.session.id != before
        assert asked[0].result(0) is False

    world_test(body)


def test_who_closes_ends_its_polls_before_it_releases() -> None:
    """A poll that is younger than 50 ms is not cancelled yet: a successor would evict an open connection."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        Process(world, "b")
        await asyncio.sleep(1.02)
        world.telegram.push(100)
        await asyncio.sleep(0.04)
        assert a.got == [100]
        began = world.now()
        a.runner.stop(0)
        await a.runner.join()

        assert world.now() - began == pytest.approx(0.04)
        await asyncio.sleep(1)
        assert world.pollers() == ["b"]

    world_test(body)


def test_a_poll_whose_loop_waits_for_the_close_is_not_waited_for() -> None:
    """It cannot end before we have."""

    async def body(world: World) -> None:
        a = Process(world, "a")
        await asyncio.sleep(1)
        began = world.now()
        a.instance.closing_from(asyncio.get_running_loop())
        a.runner.stop(0)
        await a.runner.join()

        assert world.now() - began == 0

    world_test(body)


@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_killed_and_whenever_one_polls_in_the_end(seed: int) -> None:
    """Random kills and starts: never two, and one at the end."""
    chance = random.Random(seed)

    async def body(world: World) -> None:
        living = [Process(world, "p0")]
        for number in range(1, 12):
            await asyncio.sleep(chance.uniform(0.01, 15))
            mode = chance.choice(["standby", "takeover", "replace"])
            living.append(Process(world, f"p{number}", start=mode, priority=chance.randrange(3)))
            if len(living) > 2 and chance.random() < 0.5:
                await asyncio.sleep(chance.uniform(0.01, 3))
                living.pop(chance.randrange(len(living))).die()
        await asyncio.sleep(20)

        assert len(world.pollers()) == 1

    world_test(body)


def test_a_fleet_starts_without_the_garbage_collector() -> None:
    """For a second after its last thousand; nobody else notices, and whoever ends meanwhile lets it go on."""
    seen: list[bool] = []

    async def body(world: World) -> None:
        Process(world, "few", bots=tuple(range(1, FLEET)))
        await asyncio.sleep(0.5)
        seen.append(gc.isenabled())
        many = Process(world, "many", bots=tuple(range(FLEET, 2 * FLEET)))
        await asyncio.sleep(0.5)
        seen.append(gc.isenabled())
        await asyncio.sleep(1)
        seen.append(gc.isenabled())
        another = Process(world, "another", bots=tuple(range(2 * FLEET, 3 * FLEET)))
        await asyncio.sleep(0.5)
        another.runner.stop(0)
        await another.runner.join()
        seen.append(gc.isenabled())
        assert (len(many.instance.guards), many.role(FLEET)) == (FLEET, Role.POLLING)

    world_test(body)
    assert seen == [True, False, True, True]
