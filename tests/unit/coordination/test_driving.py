"""The driver in an event loop: when a poll is cancelled, and when not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

import pytest

from onepoller.coordination import driving, events
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.crossing import Crossing
from onepoller.coordination.events import Cause, Certainty
from onepoller.coordination.grant import Grant
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.settings import OnRival, Settings
from onepoller.coordination.situation import Policy
from onepoller.coordination.stores.seam import Claim, Episode, Offset
from onepoller.coordination.wire import NOTHING, Delivered, Ended, Manners, OnCancel, Refused, Request
from onepoller.testing.virtual import run_virtual

BOT = BotId(42)
REQUEST = Request(timeout=10.0)


class Session:
    """Ours, for ever."""

    id = SessionId("own")
    deadline = 1e9
    fence_wait = 0.0

    def has_claim(self, _bot_id: BotId, _term: Term) -> bool:
        return True


class Claims:
    """An instance that grants nothing."""

    crowd = 1.0

    def __init__(self) -> None:
        self.crossing = Crossing()
        self.let_go_for: list[Cause] = []
        self.is_waited_for = True

    def want(self, _guard: Guard) -> Future[bool]:
        return Future()

    def unwant(self, _guard: Guard) -> None: ...

    def let_go(self, guard: Guard, cause: Cause) -> None:
        self.let_go_for.append(cause)
        guard.lost(cause)

    def is_awaited(self, _bot_id: BotId) -> Future[bool]:
        future: Future[bool] = Future()
        future.set_result(self.is_waited_for)
        return future

    certainty = Certainty.HELD
    holds_on = False

    def stand_by(self, _guard: Guard) -> None: ...

    def pass_on(self, _guard: Guard) -> None: ...

    def confirm(self) -> Future[bool]:
        return Future()

    def suspect(self, _bot_id: BotId) -> None: ...

    def note_episode(self, _bot_id: BotId, _episode: Episode | None) -> None: ...

    def note_standing(self, _bot_id: BotId) -> None: ...

    def end_process(self, _bot_id: BotId, _reason: str) -> None: ...


class Wire:
    """A poll that lasts `answers_after`, and notes when it was cancelled."""

    api_root = ""

    def __init__(self, answers_after: float = 10.0, *, on_cancel: OnCancel = OnCancel.PAUSE) -> None:
        self.manners = Manners(on_cancel=on_cancel)
        self.answers_after = answers_after
        self.polls: list[float] = []
        self.cancelled: list[float] = []

    async def poll(self, _request: Request) -> Delivered | Refused:
        now = asyncio.get_running_loop().time
        self.polls.append(now())
        try:
            await asyncio.sleep(self.answers_after)
        except asyncio.CancelledError:
            self.cancelled.append(now())
            raise
        return Delivered(update_ids=(7,), reply="batch")

    async def ask(self, method: str) -> dict[str, Any]:
        raise AssertionError(method)


def holder() -> Guard:
    """A guard that holds its claim, on the virtual clock."""
    now = asyncio.get_running_loop().time
    seen: list[events.Event] = []
    guard = Guard(
        BOT,
        claims=Claims(),
        settings=Settings(),
        policy=Policy(on_rival=OnRival.HOLD),
        emit=seen.append,
        clocks=Clocks(monotonic=now, boot=now, wall=now, chance=lambda: 0.5),
    )
    grant = Grant(session=Session(), term=Term(1), decided_at=now(), cause=Cause.FREE)
    guard.granted(grant, Claim(bot_id=BOT, term=Term(1)), came_from=None)
    return guard


def virtual(body: Coroutine[Any, Any, None]) -> None:
    """Run on virtual time."""
    run_virtual(body)


@pytest.mark.parametrize(("after", "expected"), [(0.0, 0.05), (0.02, 0.05), (0.3, 0.3)])
def test_we_do_not_cancel_a_poll_in_its_first_50_ms(after: float, expected: float) -> None:
    """A connection that is cancelled while it is made may lose httpcore's pool slot for good."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(after)
        await asyncio.sleep(0)
        guard.lost(Cause.FENCED)

        assert await task is NOTHING
        assert wire.cancelled == pytest.approx([expected])
        assert task.cancelling() == 0

    virtual(body())


@pytest.mark.parametrize("after", [0.0, 0.02, 0.3])
def test_a_caller_that_is_cancelled_ends_its_poll_at_once(after: float) -> None:
    """As without us."""

    async def body() -> None:
        wire = Wire()
        task = asyncio.create_task(driving.get_updates(holder(), REQUEST, wire))
        await asyncio.sleep(after)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert wire.cancelled == pytest.approx([after])

    virtual(body())


def test_a_claim_that_goes_before_its_poll_is_sent_sends_none() -> None:
    """Whoever took it polls by now."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        guard.offsets.start_term(Offset(value=1, api_root="", at=0.0))
        steps = guard.outgoing

        def lost_meanwhile(offset: int) -> int:
            guard.lost(Cause.FENCED)
            return steps(offset)

        guard.outgoing = lost_meanwhile  # type: ignore[method-assign]  # the last thing before it is sent

        assert await driving.get_updates(guard, REQUEST, wire) is NOTHING
        assert wire.polls == []

    virtual(body())


def test_a_wire_that_swallows_a_cancel_is_told_again() -> None:
    """After a second, by which a connection has been closed."""

    async def body() -> None:
        guard, wire = holder(), Wire(answers_after=1e6)
        once = wire.poll

        async def deaf_once(request: Request) -> Delivered | Refused:
            with contextlib.suppress(asyncio.CancelledError):
                return await once(request)
            return await once(request)

        wire.poll = deaf_once  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(31)
        assert guard.flight is not None
        guard.flight.interrupt(Ended.OVERDUE)

        with pytest.raises(TimeoutError):
            await task
        assert wire.cancelled == pytest.approx([31.0, 32.0])
        assert task.cancelling() == 0

    virtual(body())


def test_who_is_interrupted_before_its_poll_is_sent_is_not_cancelled_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The runner saw a poll that was not sent: what it has asked for is over."""

    async def body() -> None:
        guard, wire = holder(), Wire()

        def interrupted(asked: Guard) -> bool:
            if asked.flight is None:
                return asked.grant is None
            asked.flight.interrupt(Ended.INTERRUPTED)
            asked.lost(Cause.FENCED)
            return True

        monkeypatch.setattr(Guard, "is_leaving", property(interrupted))
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))

        assert await task is NOTHING
        assert (task.cancelling(), wire.polls) == (0, [])

    virtual(body())


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.5])
def test_a_poll_that_is_to_end_for_two_reasons_is_cancelled_once(pause: float) -> None:
    """A second cancel that meets the closing of its connection loses httpcore's slot."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        cancels: list[float] = []
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        inner = wire.poll

        async def closes_slowly(request: Request) -> Delivered | Refused:
            try:
                return await inner(request)
            finally:
                cancels.append(loop.time())
                try:
                    await asyncio.sleep(0.9)
                except asyncio.CancelledError:
                    cancels.append(loop.time())
                    raise

        wire.poll = closes_slowly  # type: ignore[method-assign, assignment]
        await asyncio.sleep(0.01)
        assert guard.flight is not None
        guard.flight.interrupt(Ended.RENEWED)
        await asyncio.sleep(pause)
        guard.begin_drain()
        guard.lost(Cause.FENCED)

        assert await task is NOTHING
        assert cancels == pytest.approx([0.05])

    virtual(body())


def test_whoever_ends_the_process_is_heard_in_the_middle_of_an_end() -> None:
    """SystemExit and KeyboardInterrupt are no errors of a poll."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        inner = wire.poll

        async def exits(request: Request) -> Delivered | Refused:
            try:
                return await inner(request)
            except asyncio.CancelledError:
                raise SystemExit(3) from None

        wire.poll = exits  # type: ignore[method-assign, assignment]
        steps = driving.get_updates(guard, REQUEST, wire)
        asyncio.get_running_loop().call_later(1.0, guard.lost, Cause.FENCED)
        with pytest.raises(SystemExit):
            await steps

    virtual(body())


def test_an_error_on_the_way_out_is_nobodys() -> None:
    """The poll was ended; how its connection closed is of no interest."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        inner = wire.poll

        async def fails_to_close(request: Request) -> Delivered | Refused:
            try:
                return await inner(request)
            finally:
                raise OSError("reset")

        wire.poll = fails_to_close  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        guard.lost(Cause.FENCED)

        assert await task is NOTHING

    virtual(body())


def test_a_last_confirm_that_telegram_holds_is_not_awaited() -> None:
    """Open for a second, it has arrived; Telegram knew the offset from the poll that was cancelled."""

    async def body() -> None:
        wire = Wire(on_cancel=OnCancel.STOPPING)
        guard = holder()
        assert isinstance(guard.claims, Claims)
        guard.claims.is_waited_for = False
        task = asyncio.create_task(driving.get_updates(guard, Request(offset=9, timeout=10.0), wire))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert wire.polls == pytest.approx([0.0, 0.3])
        assert wire.cancelled == pytest.approx([0.3, 1.3])

    virtual(body())


@pytest.mark.parametrize("is_cancelled_again", [False, True])
def test_a_last_confirm_that_fails_hides_no_cancel(*, is_cancelled_again: bool) -> None:
    """The caller hears that it was cancelled, not of our request: a loop that retries would never end."""

    class Closing(Wire):
        async def poll(self, request: Request) -> Delivered | Refused:
            if not request.timeout:
                await asyncio.sleep(0.2)
                raise OSError("the framework has closed its client")
            return await super().poll(request)

    async def body() -> None:
        wire = Closing(on_cancel=OnCancel.STOPPING)
        guard = holder()
        claims = guard.claims
        assert isinstance(claims, Claims)
        claims.is_waited_for = False
        task = asyncio.create_task(driving.get_updates(guard, Request(offset=9, timeout=10.0), wire))
        await asyncio.sleep(0.3)
        task.cancel()
        if is_cancelled_again:
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert claims.let_go_for == [Cause.STOPPED]

    virtual(body())


def test_an_answer_that_comes_while_the_poll_is_being_ended_is_delivered() -> None:
    """The claim is still ours until the drain is done."""

    async def body() -> None:
        guard, wire = holder(), Wire(answers_after=0.04)
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(0.01)
        guard.begin_drain()

        assert await task == Delivered(update_ids=(7,), reply="batch")

    virtual(body())


def test_an_answer_that_is_there_when_the_poll_is_ended_is_delivered() -> None:
    """A process that thaws finds it together with all that was due meanwhile."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        arrives: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def poll(_: Request) -> Delivered | Refused:
            await arrives
            return Delivered(update_ids=(7,), reply="batch")

        wire.poll = poll  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        assert guard.flight is not None
        guard.flight.interrupt(Ended.RENEWED)
        arrives.set_result(None)

        assert await task == Delivered(update_ids=(7,), reply="batch")

    virtual(body())


def test_a_cancel_during_a_handover_is_not_swallowed() -> None:
    """A framework that stops just then must hear of it."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(0.01)
        guard.begin_drain()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert wire.cancelled == pytest.approx([0.02])
        assert asyncio.get_running_loop().time() < 1

    virtual(body())


def test_a_cancel_while_an_ended_poll_closes_is_not_swallowed() -> None:
    """Ours is taken back, the caller's stays."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        inner = wire.poll

        async def closes_slowly(request: Request) -> Delivered | Refused:
            try:
                return await inner(request)
            finally:
                await asyncio.sleep(0.5)

        wire.poll = closes_slowly  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        guard.begin_drain()
        await asyncio.sleep(0.1)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1
        assert asyncio.get_running_loop().time() == pytest.approx(1.1)

    virtual(body())


def test_a_connection_is_closed_before_anybody_hears_that_its_poll_has_ended() -> None:
    """A transport of asyncio closes one turn after it is told to: an heir that came first would evict us."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        order = _in_order(wire)
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        guard.begin_drain().add_done_callback(lambda _: order.append("drained"))
        await asyncio.sleep(1)
        task.cancel()

        assert order == ["closed", "drained"]

    virtual(body())


@pytest.mark.parametrize("error", [asyncio.CancelledError, ConnectionError])
def test_a_connection_is_closed_before_its_claim_is_let_go(error: type[BaseException]) -> None:
    """The same where the caller has ended the poll, or the poll broke off."""

    async def body() -> None:
        guard, wire = holder(), Wire(on_cancel=OnCancel.STOPPING)
        order = _in_order(wire, error)
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        guard.drain.begin().add_done_callback(lambda _: order.append("drained"))
        guard.claims.let_go = lambda *_: order.append("let go")  # type: ignore[method-assign]
        task.cancel()
        with pytest.raises(error):
            await task

        assert order[0] == "closed"
        assert set(order[1:]) == ({"let go", "drained"} if error is asyncio.CancelledError else {"drained"})

    virtual(body())


def test_a_cancel_while_the_connection_of_an_ended_poll_closes_is_not_swallowed() -> None:
    """In the one turn that this takes."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        inner = wire.poll

        async def poll(request: Request) -> Delivered | Refused:
            try:
                return await inner(request)
            finally:
                asyncio.get_running_loop().call_soon(task.cancel)

        wire.poll = poll  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        guard.begin_drain()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1
        assert asyncio.get_running_loop().time() < 2

    virtual(body())


@pytest.mark.parametrize("turns", range(6))
def test_a_poll_that_breaks_off_while_we_end_it_is_no_cancel(turns: int) -> None:
    """Whichever comes first, and by however little: nobody has cancelled the caller."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        broken = asyncio.get_running_loop().create_future()

        async def poll(_request: Request) -> Delivered | Refused:
            await broken
            raise AssertionError

        wire.poll = poll  # type: ignore[method-assign]
        task = asyncio.create_task(driving.get_updates(guard, Request(timeout=3.0), wire))
        await asyncio.sleep(1)
        guard.begin_drain()
        for _ in range(turns):
            await asyncio.sleep(0)
        if not broken.done():
            broken.set_exception(ConnectionError())
        with contextlib.suppress(ConnectionError):
            assert await task == NOTHING
        assert task.cancelling() == 0

    virtual(body())


def _in_order(wire: Wire, error: type[BaseException] = asyncio.CancelledError) -> list[str]:
    """A poll that closes as `StreamWriter.close` and aiohttp do: it does not wait for it."""
    order: list[str] = []
    inner = wire.poll

    async def poll(request: Request) -> Delivered | Refused:
        try:
            return await inner(request)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_soon(order.append, "closed")
            raise error from None

    wire.poll = poll  # type: ignore[method-assign, assignment]
    return order


def test_a_stopping_framework_lets_go_at_once() -> None:
    """The cancel of python-telegram-bot means that it stops."""

    async def body() -> None:
        guard, wire = holder(), Wire(on_cancel=OnCancel.STOPPING)
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        claims = guard.claims
        assert isinstance(claims, Claims)
        assert claims.let_go_for == [Cause.STOPPED]

    virtual(body())


def test_an_interrupted_poll_waits_for_the_claim_and_brings_nothing() -> None:
    """The call lasts as long as the caller asked for."""

    async def body() -> None:
        guard, wire = holder(), Wire()
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(2)
        guard.lost(Cause.FENCED)

        assert await task is NOTHING
        assert wire.cancelled == pytest.approx([2.0])
        assert asyncio.get_running_loop().time() == pytest.approx(10.0)

    virtual(body())


def test_a_poll_is_renewed() -> None:
    """It ends, and is sent anew inside the same call."""

    async def body() -> None:
        guard, wire = holder(), Wire(answers_after=4.0)
        guard.state = guard.state.__class__(role=guard.state.role, term=guard.state.term, renew_at=1.5)

        assert isinstance(await driving.get_updates(guard, REQUEST, wire), Delivered)
        assert wire.polls == pytest.approx([0.0, 1.5])

    virtual(body())


def test_an_overdue_poll_ends_as_a_timeout() -> None:
    """Its connection is half open: nothing will ever come."""

    async def body() -> None:
        guard, wire = holder(), Wire(answers_after=1e6)
        task = asyncio.create_task(driving.get_updates(guard, REQUEST, wire))
        await asyncio.sleep(31)
        flight = guard.flight
        assert flight is not None
        flight.interrupt(Ended.OVERDUE)

        with pytest.raises(TimeoutError):
            await task

    virtual(body())
