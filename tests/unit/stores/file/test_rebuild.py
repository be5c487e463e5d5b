"""A database that was damaged or lost, made anew from the sessions that live."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import BotReport, Role, pack
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.seam import Batch, Claim, Swap
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


def test_damage_is_found_in_use(scene: Scene) -> None:
    """Who reads it makes it anew and goes on; the trouble is told once."""

    async def body() -> tuple[bool, bool, bool, str]:
        session, claim = await scene.holder()
        for name in ("claims.db", "claims.db-wal"):
            path = scene.directory / name
            with path.open("r+b") as file:
                file.write(b"\xa5" * path.stat().st_size)
        assert scene.store._database._connection is not None
        scene.store._database._connection.execute("PRAGMA shrink_memory")
        snapshot = await scene.store.read([BOT])
        await scene.store.beat(session)
        new = snapshot.claims[BOT]
        answer = (
            new.holder == session.id and new.term > claim.term and not new.clean,
            session.has_claim(BOT, claim.term),
            session.has_claim(BOT, new.term),
            (await scene.store.read([BOT])).trouble,
        )
        assert f"{scene.directory}/claims.db was damaged" in snapshot.trouble
        await scene.store.close(session)
        return answer

    assert asyncio.run(body()) == (True, False, True, "")


def test_a_session_that_the_new_database_does_not_name_is_over(scene: Scene) -> None:
    """It was not there to be found when the database was made anew."""

    async def body() -> None:
        session, _ = await scene.holder()
        hidden = session.file.path.rename(scene.directory / "hidden")
        (scene.directory / "claims.db").unlink()
        other = scene.another()
        newcomer = await other.open(identity())
        hidden.rename(session.file.path)
        try:
            await scene.store.beat(session)
        finally:
            await other.close(newcomer)

    with pytest.raises(SessionOver):
        asyncio.run(body())


def test_of_two_who_say_they_poll_the_last_to_poll_keeps_the_claim(scene: Scene) -> None:
    """A report may be one beat old when a database is made anew."""

    async def body() -> bool:
        session, _ = await scene.holder()
        other = scene.another()
        later = await other.open(identity())
        await other.beat(later, report=pack([BotReport(bot_id=BOT, role=Role.BLOCKED, last_poll=2.0)]))
        (scene.directory / "claims.db").unlink()
        await scene.store.beat(session)
        holder = (await other.read([BOT])).claims[BOT].holder
        await scene.store.close(session)
        await other.close(later)
        return holder == later.id

    assert asyncio.run(body())


def test_standbys_keep_no_claim_in_a_database_made_anew(scene: Scene) -> None:
    """Only those who poll, or are blocked while they would, hold."""

    async def body() -> Claim:
        session = await scene.store.open(identity())
        rows = [BotReport(bot_id=BOT, role=role) for role in (Role.STANDBY, Role.STARTING, Role.STOPPED)]
        await scene.store.beat(session, report=pack(rows))
        (scene.directory / "claims.db").unlink()
        claim = (await scene.store.read([BOT])).claims[BOT]
        await scene.store.close(session)
        return claim

    assert asyncio.run(body()) == Claim(bot_id=BOT)


def test_a_directory_that_was_taken_away_is_made_again(scene: Scene) -> None:
    """Whoever loses everything begins anew, in a higher term."""

    async def body() -> bool:
        session, claim = await scene.holder()
        scene.directory.rename(scene.directory.with_name("away"))
        with pytest.raises((SessionOver, StoreUnavailable)):
            await scene.store.beat(session)
        again, new = await scene.holder()
        await scene.store.close(again)
        return new.term > claim.term

    assert asyncio.run(body())
