"""What a watcher has been told and has not taken."""

from __future__ import annotations

import asyncio

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.seam import Change

ONE, TWO = Change(session=SessionId("one")), Change(session=SessionId("two"))


def test_each_change_is_given_once_in_order() -> None:
    """Told twice before it is taken, a change is still one."""

    async def body() -> list[Change]:
        changes = Changes()
        for change in (TWO, ONE, TWO):
            changes.put(change)
        return await changes.take(until=0)

    assert asyncio.run(body()) == [TWO, ONE]


def test_what_was_taken_is_not_given_again() -> None:
    """A second take finds nothing, and waits no longer than it was told."""

    async def body() -> list[Change]:
        changes = Changes()
        changes.put(ONE)
        await changes.take(until=0)
        return await changes.take(until=0)

    assert asyncio.run(body()) == []


def test_a_change_from_another_thread_ends_the_wait() -> None:
    """The watcher's own loop is told."""

    async def body() -> list[Change]:
        changes = Changes()
        await asyncio.to_thread(changes.put_from_anywhere, ONE)
        return await changes.take(until=asyncio.get_running_loop().time() + 10)

    assert asyncio.run(body()) == [ONE]


def test_a_watcher_whose_loop_is_closed_is_left_alone() -> None:
    """Nobody waits there any more."""

    async def body() -> Changes:
        return Changes()

    asyncio.run(body()).put_from_anywhere(ONE)
