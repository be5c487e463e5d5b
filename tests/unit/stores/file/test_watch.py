"""What a watch hears, and what it finds by itself."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.file.hearing import Hearing
from onepoller.coordination.stores.seam import Batch, Change, Wish
from onepoller.testing.store_contract.rig import identity

NEVER = 3600.0
SOON = 0.05


@asynccontextmanager
async def watching(
    directory: Path, *, slow_look: float = NEVER
) -> AsyncIterator[tuple[FileStore, asyncio.Queue[Change]]]:
    """A store with a session whose watch has begun; what it yields comes into a queue."""
    store = FileStore(directory, slow_look=slow_look)
    session = await store.open(identity())
    heard: asyncio.Queue[Change] = asyncio.Queue()

    async def listen() -> None:
        async for change in store.watch(session):
            heard.put_nowait(change)

    listening = asyncio.create_task(listen())
    await heard.get()
    yield store, heard
    listening.cancel()
    await asyncio.wait([listening])
    await store.close(session)


def close_after_writing(path: Path) -> None:
    """What a wake-up does."""
    os.close(os.open(path, os.O_WRONLY))


def test_a_lock_that_is_freed_after_the_close_is_looked_at_again(tmp_path: Path) -> None:
    """The kernel tells of the close before it drops the lock."""

    async def body() -> Change:
        async with watching(tmp_path) as (_, heard):
            file = tmp_path / "sessions" / "dying"
            holder = os.open(file, os.O_RDONLY | os.O_CREAT)  # read-only: its close wakes nobody
            fcntl.flock(holder, fcntl.LOCK_EX)
            close_after_writing(file)
            await asyncio.sleep(0.002)
            os.close(holder)
            return await asyncio.wait_for(heard.get(), 5)

    assert asyncio.run(body()) == Change(session=SessionId("dying"))


def test_a_wake_up_of_another_is_not_ours(tmp_path: Path) -> None:
    """Its lock is held, so it is not dead, and nothing is told."""

    async def body() -> bool:
        async with watching(tmp_path) as (_, heard):
            other = FileStore(tmp_path)
            session = await other.open(identity())
            close_after_writing(tmp_path / "sessions" / session.id)
            await asyncio.sleep(SOON)
            is_quiet = heard.empty()
            await other.close(session)
            return is_quiet

    assert asyncio.run(body())


def test_looks_wake_nobody(tmp_path: Path) -> None:
    """A hundred standbys that look would wake a hundred others."""

    async def body() -> bool:
        async with watching(tmp_path) as (store, heard):
            for _ in range(3):
                await store.read()
            await asyncio.sleep(SOON)
            return heard.empty()

    assert asyncio.run(body())


def test_events_that_the_kernel_dropped_could_be_anything() -> None:
    """An overflow is a change of nobody in particular."""

    async def body() -> list[Change]:
        changes = Changes()
        hearing = Hearing(changes, own=SessionId("own"), has_ended=lambda _: False)
        reading, writing = os.pipe()
        os.write(writing, struct.pack("iIII", -1, 0x4000, 0, 0))
        hearing._hear(SimpleNamespace(fileno=lambda: reading))  # type: ignore[arg-type]  # a stand-in
        os.close(reading)
        os.close(writing)
        return await changes.take(until=0)

    assert asyncio.run(body()) == [Change()]


def test_our_own_writes_are_no_news(tmp_path: Path) -> None:
    """Else each write of a process with 10,000 bots would have it read all of them again."""

    async def body() -> tuple[bool, bool]:
        store, other = FileStore(tmp_path), FileStore(tmp_path)
        ours, theirs = await store.open(identity()), await other.open(identity())
        before = store._database.version()
        wish = Wish(bot_id=BotId(42), session=ours.id)
        await store.swap(ours, Batch(wishes=[wish]))
        after_ours = store._database.version()
        await other.swap(theirs, Batch(wishes=[replace(wish, session=theirs.id)]))
        after_theirs = store._database.version()
        await store.close(ours)
        await other.close(theirs)
        return before == after_ours, after_ours == after_theirs

    assert asyncio.run(body()) == (True, False)


def test_without_an_inotify_instance_the_slow_look_finds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user has 128 of them; the store says which way it works."""

    def none_left(**_: object) -> None:
        raise OSError(errno.EMFILE, "no instance left")

    monkeypatch.setattr("inotify_simple.INotify", none_left)

    async def body() -> tuple[bool, Change]:
        async with watching(tmp_path, slow_look=0.01) as (store, heard):
            other = FileStore(tmp_path)
            session = await other.open(identity())
            change = await asyncio.wait_for(heard.get(), 5)
            await other.close(session)
            return store.is_event_driven, change

    assert asyncio.run(body()) == (False, Change())


def test_a_slow_look_at_files_that_were_replaced_tells_somebody(tmp_path: Path) -> None:
    """Whoever reads or beats then finds out what it is."""

    async def body() -> Change:
        async with watching(tmp_path, slow_look=0.01) as (_, heard):
            (tmp_path / "claims.db").unlink()
            return await asyncio.wait_for(heard.get(), 5)

    assert asyncio.run(body()) == Change()
