"""The machine's own death may take the last commits; terms go up all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from onepoller.coordination import identity as identities
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.seam import Batch, Claim, Session, Swap
from onepoller.testing.store_contract.rig import identity

BOT = BotId(4_243)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, from outside."""
    with closing(sqlite3.connect(path / "claims.db", isolation_level=None)) as connection:
        yield connection


async def take(store: FileStore, session: Session) -> Claim:
    """Take the bot with the next term, whoever held it."""
    claim = (await store.read([BOT])).claims[BOT]
    over = claim.holder if claim.holder != session.id else None
    swap = Swap(claim=replace(claim, holder=session.id, term=Term(claim.term + 1)), requires_over=over)
    return (await store.swap(session, Batch(swaps=[swap]))).written[BOT]


def lose_last_grants(path: Path, count: int) -> None:
    """What a power cut does to commits that the disk has not seen."""
    with opened(path) as connection:
        connection.execute("UPDATE claims SET term = term - ?, version = version - ?", (count, count))


@pytest.mark.parametrize("name", ["another boot", ""])
def test_a_term_after_the_next_boot_is_higher_than_any_before(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the last five grants were never written down. Where boots have no names too."""

    async def body() -> tuple[Claim, Claim]:
        store = FileStore(tmp_path)
        session = await store.open(identity())
        for _ in range(6):
            last = await take(store, session)
        await store.close(session)
        lose_last_grants(tmp_path, 5)
        monkeypatch.setattr(identities, "boot_id", lambda: name)
        store = FileStore(tmp_path)
        session = await store.open(identity())
        first = await take(store, session)
        await store.close(session)
        return last, first

    last, first = asyncio.run(body())
    assert first.term > last.term


def test_within_a_boot_terms_count_on(tmp_path: Path) -> None:
    """A second session raises nothing: the next term is the next number."""

    async def body() -> list[Term]:
        terms = []
        for _ in range(3):
            store = FileStore(tmp_path)
            session = await store.open(identity())
            terms.append((await take(store, session)).term)
            await store.close(session)
        return terms

    first, second, third = asyncio.run(body())
    assert (second, third) == (first + 1, first + 2)


def test_whoever_holds_a_claim_keeps_its_term(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that names its boot otherwise, on the same directory, takes no living holder's term away."""

    async def body() -> tuple[Claim, Claim, bool]:
        store = FileStore(tmp_path)
        session = await store.open(identity())
        held = await take(store, session)
        monkeypatch.setattr(identities, "boot_id", lambda: "another kernel")
        other = FileStore(tmp_path)
        guest = await other.open(identity())
        noted = (await store.swap(session, Batch(swaps=[Swap(claim=held)]))).written[BOT]
        polls = session.has_claim(BOT, held.term)
        await other.close(guest)
        await store.close(session)
        return held, noted, polls

    held, noted, polls = asyncio.run(body())
    assert (noted.term, polls) == (held.term, True)
