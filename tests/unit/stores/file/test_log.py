"""The log: short between changes, whatever one change has written."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.file import FileStore, log
from onepoller.coordination.stores.seam import Batch, Claim, Swap
from onepoller.testing.store_contract.rig import identity


def test_a_long_log_is_carried_over_at_a_beat_and_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not inside the commit that made it long; the next change begins at its start."""
    monkeypatch.setattr(log, "LIMIT", 64 * 1024)
    wal = tmp_path / "claims.db-wal"

    async def body() -> list[int]:
        store = FileStore(tmp_path)
        session = await store.open(identity())
        claims = [Claim(bot_id=BotId(bot_id)) for bot_id in range(1, 2_001)]
        sizes = []
        for _ in range(3):
            swaps = [Swap(claim=replace(claim, holder=session.id)) for claim in claims]
            claims = list((await store.swap(session, Batch(swaps=swaps))).written.values())
            sizes.append(wal.stat().st_size)
            await store.beat(session)
            await store.swap(session, Batch(swaps=[Swap(claim=claims[0])]))
            claims[0] = (await store.read([BotId(1)])).claims[BotId(1)]
            sizes.append(wal.stat().st_size)
        with closing(sqlite3.connect(f"file:{tmp_path / 'claims.db'}?mode=ro", uri=True)) as other:
            assert other.execute(
                "SELECT count(*) FROM claims WHERE holder = ?", (session.id,)
            ).fetchone() == (2_000,)
        await store.close(session)
        return sizes

    long, short, *others = asyncio.run(body())
    assert long > log.LIMIT >= short
    assert all(size > log.LIMIT for size in others[::2])
    assert all(size <= log.LIMIT for size in others[1::2])


def test_a_log_that_is_not_there_is_short_enough(tmp_path: Path) -> None:
    """As between two openings."""
    with closing(sqlite3.connect(":memory:")) as connection:
        log.keep_short(connection, tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
