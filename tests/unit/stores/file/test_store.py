"""What the file store does beyond the contract, with clocks that the tests move."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from onepoller.coordination.errors import SessionOver, StoreBusy, StoreUnavailable
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import BotReport, Role, pack
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.file.session_file import mark
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch, Claim, Session, Swap, Wish
from onepoller.testing.store_contract.rig import identity

BOT = BotId(7000000001)


class Scene:
    """A directory, and the time in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 1000.0
        self.store = self.another()

    def another(self, *, busy_limit: float = 0.05) -> FileStore:
        """A handle, as of another process."""
        return FileStore(
            self.directory,
            lease=10,
            margin=2,
            busy_limit=busy_limit,
            boot_clock=lambda: self.now,
            monotonic=lambda: self.now,
        )

    async def holder(self) -> tuple[FileSession, Claim]:
        """A session of `store`, with a claim that its last beat reported."""
        session = await self.store.open(identity())
        assert isinstance(session, FileSession)
        swap = Swap(claim=Claim(bot_id=BOT, holder=session.id))
        claim = (await self.store.swap(session, Batch(swaps=[swap]))).written[BOT]
        report = pack([BotReport(bot_id=BOT, role=Role.POLLING, last_poll=1.0)])
        await self.store.beat(session, report=report)
        return session, claim


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A directory that does not exist yet."""
    return Scene(tmp_path / "state")


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def files(directory: Path) -> set[str]:
    """What lies in the directory."""
    return {path.name for path in directory.iterdir()}


def test_a_store_that_was_made_has_opened_nothing(scene: Scene) -> None:
    """No file, no directory, no descriptor before the first call."""
    before = descriptors()
    FileStore(scene.directory)
    assert (descriptors(), scene.directory.exists()) == (before, False)


def test_a_read_of_no_store_makes_none(scene: Scene) -> None:
    """Status can be asked on a host where nothing ever ran."""
    snapshot = asyncio.run(scene.store.read([BOT]))
    assert (snapshot.claims, scene.directory.exists()) == ({BOT: Claim(bot_id=BOT)}, False)


def test_a_read_without_a_session_leaves_nothing_open(scene: Scene) -> None:
    """As of a status command."""

    async def body() -> int:
        session, _ = await scene.holder()
        await scene.store.close(session)
        before = descriptors()
        await scene.another().read()
        return descriptors() - before

    assert asyncio.run(body()) == 0


def test_descriptors_do_not_grow_with_the_bots(scene: Scene) -> None:
    """A fixed handful: session file, database, -wal, -shm, a reader's two, inotify."""

    async def body() -> int:
        before = descriptors()
        session = await scene.store.open(identity())
        watch = aiter(scene.store.watch(session))
        await anext(watch)
        swaps = [Swap(claim=Claim(bot_id=BotId(number), holder=session.id)) for number in range(1, 500)]
        await scene.store.swap(session, Batch(swaps=swaps))
        open_now = descriptors() - before
        await scene.store.close(session)
        return open_now

    assert asyncio.run(body()) <= 8


def test_a_closed_store_leaves_nothing_open(scene: Scene) -> None:
    """The last goodbye closes the database too."""

    async def body() -> int:
        before = descriptors()
        session, _ = await scene.holder()
        await scene.store.close(session)
        return descriptors() - before

    assert asyncio.run(body()) == 0


def test_a_session_that_is_over_leaves_nothing_open(scene: Scene) -> None:
    """Nobody has to close what has raised SessionOver."""

    async def body() -> int:
        before = descriptors()
        session, _ = await scene.holder()
        session.file.path.unlink()
        with pytest.raises(SessionOver):
            await scene.store.beat(session)
        return descriptors() - before

    assert asyncio.run(body()) == 0


def test_files_are_for_nobody_else(scene: Scene) -> None:
    """Neither the directory nor what lies in it."""

    async def body() -> set[str]:
        session, _ = await scene.holder()
        modes = {
            f"{path.name[:9]} {path.stat().st_mode & 0o777:o}"
            for path in [scene.directory, *scene.directory.iterdir()]
        }
        await scene.store.close(session)
        return modes

    assert asyncio.run(body()) == {
        "state 700",
        "sessions 700",
        "claims.db 600",
        "reserve 600",
        "set-up.lo 600",
    }


def test_a_clean_end_removes_the_session_file(scene: Scene) -> None:
    """And nothing else."""

    async def body() -> list[Path]:
        session, _ = await scene.holder()
        await scene.store.close(session)
        return list((scene.directory / "sessions").iterdir())

    assert asyncio.run(body()) == []


def test_whoever_ends_a_session_removes_its_file(scene: Scene) -> None:
    """The takeover unlinks what the dead one left."""

    async def body() -> set[str]:
        session, claim = await scene.holder()
        session.file.close()
        other = scene.another()
        successor = await other.open(identity())
        taken = Swap(claim=replace(claim, holder=successor.id), requires_over=session.id)
        await other.swap(successor, Batch(swaps=[taken]))
        await other.close(successor)  # at the latest: it is no hurry
        return files(scene.directory / "sessions")

    assert asyncio.run(body()) == set()


def test_the_look_reads_who_is_over(scene: Scene) -> None:
    """An ended session has no claim left, also before whoever ended it has removed the file."""
    other_bot = BotId(BOT + 1)

    async def body() -> bool:
        session, claim = await scene.holder()
        swap = Swap(claim=Claim(bot_id=other_bot, holder=session.id))
        left = (await scene.store.swap(session, Batch(swaps=[swap]))).written[other_bot]
        other = scene.another()
        successor = await other.open(identity())
        await other.read()
        scene.now += 10
        await other.beat(successor)
        taken = Swap(claim=replace(claim, holder=successor.id), requires_over=session.id)
        await other.swap(successor, Batch(swaps=[taken]))
        has_it = session.has_claim(other_bot, left.term)
        await other.close(successor)
        await scene.store.close(session)
        return has_it

    assert not asyncio.run(body())


def asked_of_the_database(session: FileSession) -> list[str]:
    """The statements of its looks, from now on."""
    asked: list[str] = []
    assert session._reader is not None  # what is looked at
    session._reader.set_trace_callback(asked.append)
    return asked


def test_what_nobody_has_marked_is_asked_once(scene: Scene) -> None:
    """A look at each batch is a microsecond and three inodes, not a query."""

    async def body() -> None:
        session, claim = await scene.holder()
        asked = asked_of_the_database(session)
        assert [session.has_claim(BOT, claim.term) for _ in range(3)] == [True] * 3
        assert len(asked) == 1
        assert not session.has_claim(BOT, Term(claim.term + 1))

    asyncio.run(body())


def test_whoever_takes_a_claim_marks_its_holder_first(scene: Scene) -> None:
    """What was asked once is asked again, though the transaction has not been seen yet."""

    async def body() -> None:
        session, claim = await scene.holder()
        assert session.has_claim(BOT, claim.term)
        rival = scene.another()
        other = await rival.open(identity("other"))
        taken = Batch(swaps=[Swap(claim=replace(claim, holder=other.id))])
        assert (await rival.swap(other, taken)).written
        assert not session.has_claim(BOT, claim.term)

    asyncio.run(body())


def test_whoever_ends_a_session_marks_it_first(scene: Scene) -> None:
    """One that was frozen looks after it has thawed."""

    async def body() -> None:
        session, claim = await scene.holder()
        assert session.has_claim(BOT, claim.term)
        rival = scene.another()
        other = await rival.open(identity("other"))
        swap = Swap(claim=replace(claim, holder=other.id), requires_over=session.id)
        assert not (await rival.swap(other, Batch(swaps=[swap]))).written
        scene.now += 10
        assert (await rival.swap(other, Batch(swaps=[swap]))).written
        assert not session.has_claim(BOT, claim.term)

    asyncio.run(body())


def test_the_file_of_a_dead_session_is_not_written_to(scene: Scene) -> None:
    """Who takes over from a process that was killed is in a hurry, and nobody is there to read the mark."""

    async def body() -> None:
        session, claim = await scene.holder()
        session.close()  # as the kernel does
        before = session.file.path.stat().st_mtime_ns
        rival = scene.another()
        other = await rival.open(identity("other"))
        swap = Swap(claim=replace(claim, holder=other.id), requires_over=session.id)
        assert (await rival.swap(other, Batch(swaps=[swap]))).written
        assert session.file.path.stat().st_mtime_ns == before

    asyncio.run(body())


def test_a_mark_without_a_change_costs_queries_alone(scene: Scene) -> None:
    """Whoever set it was killed before its commit."""

    async def body() -> None:
        session, claim = await scene.holder()
        assert session.has_claim(BOT, claim.term)
        mark(session.file.path)
        asked = asked_of_the_database(session)
        assert [session.has_claim(BOT, claim.term) for _ in range(3)] == [True] * 3
        assert len(asked) == 3
        await scene.store.beat(session)
        assert session.file.is_marked

    asyncio.run(body())


def test_what_we_write_ourselves_is_asked_again(scene: Scene) -> None:
    """A claim that was let go is not ours, whatever was asked before or meanwhile."""

    async def body() -> None:
        session, claim = await scene.holder()
        assert session.has_claim(BOT, claim.term)
        with session.writing_to([BOT]):
            assert session.has_claim(BOT, claim.term)
            await scene.store.swap(session, Batch(swaps=[Swap(claim=replace(claim, holder=None))]))
        assert not session.has_claim(BOT, claim.term)

    asyncio.run(body())


def test_a_look_beside_a_write_of_ours_is_forgotten(scene: Scene) -> None:
    """It read the row before the commit, and comes to an end after it."""

    async def body() -> None:
        session, claim = await scene.holder()
        with session.writing_to([BOT]):
            assert session._reader is not None  # the moment in the middle of a look
            session._reader.set_trace_callback(lambda _: setattr(session, "_writes", 0))
            assert session.has_claim(BOT, claim.term)
            session._writes = 1
        asked = asked_of_the_database(session)
        assert session.has_claim(BOT, claim.term)
        assert len(asked) == 1

    asyncio.run(body())


def test_a_claim_cannot_be_taken_where_its_holder_cannot_be_marked(scene: Scene) -> None:
    """Nothing is written: it would go on delivering."""

    async def body() -> None:
        session, claim = await scene.holder()
        rival = scene.another()
        other = await rival.open(identity("other"))
        failed = OSError(errno.EMFILE, "Too many open files")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("onepoller.coordination.stores.file.store.mark", Mock(side_effect=failed))
            with pytest.raises(StoreUnavailable, match="Too many open files"):
                await rival.swap(other, Batch(swaps=[Swap(claim=replace(claim, holder=other.id))]))
        assert session.has_claim(BOT, claim.term)
        assert (await rival.read([BOT])).claims[BOT].holder == session.id

    asyncio.run(body())


def test_a_file_put_in_a_dead_sessions_place_is_left_alone(scene: Scene) -> None:
    """Nothing is unlinked that is not the session's."""

    async def body() -> bool:
        session, claim = await scene.holder()
        session.file.path.unlink()
        session.file.path.touch()
        other = scene.another()
        successor = await other.open(identity())
        await other.read()
        scene.now += 10
        await other.beat(successor)
        taken = Swap(claim=replace(claim, holder=successor.id), requires_over=session.id)
        written = (await other.swap(successor, Batch(swaps=[taken]))).written
        await other.close(successor)
        await scene.store.close(session)
        return BOT in written and session.file.path.exists()

    assert asyncio.run(body())


def test_a_newcomer_clears_away_those_who_died_holding_nothing(scene: Scene) -> None:
    """Rows and files of dead standbys do not pile up."""

    async def body() -> tuple[int, int]:
        for _ in range(3):
            other = scene.another()
            session = await other.open(identity())
            assert isinstance(session, FileSession)
            await other.swap(session, Batch(wishes=[Wish(bot_id=BOT, session=session.id)]))
            session.file.close()
        newcomer = await scene.store.open(identity())
        snapshot = await scene.store.read()
        left = len(list((scene.directory / "sessions").iterdir()))
        await scene.store.close(newcomer)
        return len(snapshot.sessions), left

    assert asyncio.run(body()) == (1, 1)


def test_a_plain_beat_past_the_deadline_confirms(scene: Scene) -> None:
    """Ended in the meantime, it is told so, although it did not ask."""

    async def body() -> None:
        session, claim = await scene.holder()
        other = scene.another()
        successor = await other.open(identity())
        await other.read()
        scene.now += 10
        await other.beat(successor)
        taken = Swap(claim=replace(claim, holder=successor.id), requires_over=session.id)
        await other.swap(successor, Batch(swaps=[taken]))
        try:
            await scene.store.beat(session)
        finally:
            await other.close(successor)

    with pytest.raises(SessionOver):
        asyncio.run(body())


def beats_while_a_writer_sits(scene: Scene, *, late: float) -> Callable[[], Awaitable[float]]:
    """A beat beside an open write transaction of somebody else's; gives what is left to the deadline."""

    async def body() -> float:
        session, _ = await scene.holder()
        scene.now += late
        writer = sqlite3.connect(scene.directory / "claims.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        try:
            await scene.store.beat(session)
            return session.deadline - scene.now
        finally:
            writer.close()
            await scene.store.close(session)

    return body


def test_a_beat_in_time_waits_for_no_writer(scene: Scene) -> None:
    """It is written in place, and moves the deadline."""
    assert asyncio.run(beats_while_a_writer_sits(scene, late=7)()) == 8  # type: ignore[arg-type]  # a coroutine


def test_a_beat_past_the_deadline_has_to_wait(scene: Scene) -> None:
    """It must be written inside a transaction: the error names who sits in one, here ourselves."""
    with pytest.raises(StoreBusy) as error:
        asyncio.run(beats_while_a_writer_sits(scene, late=8)())  # type: ignore[arg-type]  # a coroutine
    assert error.value.pid == os.getpid()


def test_a_goodbye_beside_a_stuck_writer_frees_the_lock(scene: Scene) -> None:
    """It raises nothing: what could not be written, the free lock says."""

    async def body() -> bool:
        session, claim = await scene.holder()
        other = scene.another()
        successor = await other.open(identity())
        writer = sqlite3.connect(scene.directory / "claims.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        await scene.store.close(session)
        writer.close()
        taken = Swap(claim=replace(claim, holder=successor.id), requires_over=session.id)
        written = (await other.swap(successor, Batch(swaps=[taken]))).written
        await other.close(successor)
        return BOT in written

    assert asyncio.run(body())


def test_a_sessions_claim_cannot_be_asked_of_another_store(scene: Scene) -> None:
    """Mixing stores is a mistake of the caller's."""

    async def body() -> None:
        session: Session = await MemoryStore().open(identity())
        await scene.store.beat(session)

    with pytest.raises(TypeError):
        asyncio.run(body())


def test_a_wish_that_stands_as_it_is_costs_no_write(scene: Scene) -> None:
    """Nothing is written in the steady state."""

    async def body() -> tuple[int, int]:
        session = await scene.store.open(identity())
        wish = Wish(bot_id=BOT, session=session.id, priority=1, aim=Term(3))
        await scene.store.swap(session, Batch(wishes=[wish]))
        before = (scene.directory / "claims.db-wal").stat()
        await scene.store.swap(session, Batch(wishes=[wish]))
        after = (scene.directory / "claims.db-wal").stat()
        await scene.store.close(session)
        return before.st_mtime_ns, after.st_mtime_ns

    before, after = asyncio.run(body())
    assert before == after


def test_a_claim_written_into_a_database_made_anew_is_seen_by_the_look(scene: Scene) -> None:
    """The write itself finds that the database was replaced, and the look goes on in the new one."""

    async def body() -> bool:
        session, _ = await scene.holder()
        for path in scene.store.database_files:
            path.unlink(missing_ok=True)
        swap = Swap(claim=Claim(bot_id=BotId(8), holder=session.id))
        claim = (await scene.store.swap(session, Batch(swaps=[swap]))).written[BotId(8)]
        return session.has_claim(claim.bot_id, claim.term)

    assert asyncio.run(body())
