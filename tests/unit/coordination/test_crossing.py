"""From one thread to another's loop: in order, in one wake-up, and nothing lost."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from onepoller.coordination.crossing import Crossing, Inbox
from onepoller.testing.virtual import run_virtual


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often another thread has called."""

    calls = 0

    def call_soon_threadsafe(self, *args: object, **kwargs: object) -> asyncio.Handle:
        self.calls += 1
        return super().call_soon_threadsafe(*args, **kwargs)  # type: ignore[arg-type]


def test_a_burst_is_one_wake_up_in_order() -> None:
    """Ten thousand wake-ups would give the interpreter away ten thousand times."""
    loop = CountingLoop()
    inbox = Inbox(loop)
    seen: list[int] = []

    def put() -> None:
        for number in range(1000):
            inbox.put(seen.append, number)

    burst = threading.Thread(target=put)
    burst.start()
    burst.join()
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()

    assert seen == list(range(1000))
    assert loop.calls == 1


def test_one_that_fails_does_not_take_the_others_with_it() -> None:
    """The loop tells of it."""
    loop = asyncio.new_event_loop()
    told: list[str] = []
    loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    inbox = Inbox(loop)
    seen: list[int] = []

    def fail() -> None:
        raise ValueError("one failed")

    inbox.put(fail)
    inbox.put(seen.append, 2)
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()

    assert (seen, told) == ([2], ["one failed"])


def test_a_result_comes_from_another_thread() -> None:
    """As soon as it is there."""

    async def body() -> None:
        future: Future[str] = Future()
        threading.Timer(0.01, lambda: future.set_result("there")).start()

        assert await Crossing().result(future, 10.0) == "there"

    asyncio.run(body())


def test_without_a_result_the_wait_ends_in_time() -> None:
    """The future is left as it is."""

    async def body() -> None:
        future: Future[str] = Future()

        assert await Crossing().result(future, 5.0) is None
        assert asyncio.get_running_loop().time() == 5.0
        assert not future.cancelled()

    run_virtual(body())


def test_a_wait_can_be_cancelled() -> None:
    """Every wait ends early on stop."""

    async def body() -> None:
        task = asyncio.create_task(Crossing().result(Future(), 1e6))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(body())


def test_a_closed_loop_is_nobodys_trouble() -> None:
    """Whoever waited there has gone; the one who answers goes on."""
    future: Future[str] = Future()
    loop = asyncio.new_event_loop()
    task = loop.create_task(Crossing().result(future, 1e6))
    loop.run_until_complete(asyncio.sleep(0.001))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()

    future.set_result("too late")

    assert future.result() == "too late"
