"""Room in the log: a takeover makes no file longer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.file import FileStore, room
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.seam import Batch, Claim, Swap
from onepoller.testing.store_contract.rig import identity

BOT = BotId(4_242)


def test_a_takeover_makes_the_log_no_longer(tmp_path: Path) -> None:
    """It overwrites what was written before, after as many sessions as would have filled the room."""
    wal = tmp_path / "claims.db-wal"

    async def body() -> set[int]:
        sizes = set()
        claim = Claim(bot_id=BOT)
        store = FileStore(tmp_path)
        holder = await store.open(identity())
        claim = (
            await store.swap(holder, Batch(swaps=[Swap(claim=replace(claim, holder=holder.id))]))
        ).written[BOT]
        for _ in range(30):
            other = FileStore(tmp_path)
            successor = await other.open(identity())
            assert isinstance(holder, FileSession)
            holder.file.close()
            swap = Swap(claim=replace(claim, holder=successor.id), requires_over=holder.id)
            claim = (await other.swap(successor, Batch(swaps=[swap]))).written[BOT]
            sizes.add(wal.stat().st_size)
            holder, store = successor, other
        await store.close(holder)
        return sizes

    assert asyncio.run(body()) == {room.SIZE}


def test_a_log_that_cannot_be_stretched_is_left_as_it_is(tmp_path: Path) -> None:
    """There may be none, or no space: a commit makes it longer then."""
    room.stretch(tmp_path / "none")

    assert list(tmp_path.iterdir()) == []
