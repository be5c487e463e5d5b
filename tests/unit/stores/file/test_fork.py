"""What a forked child does with the stores of its parent; real children are in tests/e2e/stores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.file.fork import Forks
from onepoller.coordination.stores.seam import Batch, Claim, Swap
from onepoller.testing.store_contract.rig import identity


def in_a_child(test: Callable[[], bool]) -> bool:
    """Whether a test passes in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            passed = test()
        except BaseException:  # noqa: BLE001  # the child must not go on as a second pytest
            passed = False
        os._exit(0 if passed else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_has_not_its_parents_claim(tmp_path: Path) -> None:
    """The look before delivery is False in the child, and still True in the parent."""

    async def body() -> tuple[bool, bool]:
        store = FileStore(tmp_path)
        session = await store.open(identity())
        swap = Swap(claim=Claim(bot_id=BotId(1), holder=session.id))
        term = (await store.swap(session, Batch(swaps=[swap]))).written[BotId(1)].term
        answers = (
            in_a_child(lambda: not session.has_claim(BotId(1), term)),
            session.has_claim(BotId(1), term),
        )
        await store.close(session)
        return answers

    assert asyncio.run(body()) == (True, True)


def test_a_fork_without_hooks_is_noticed_at_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a C library: the process's id has changed under the store."""

    async def body() -> bool:
        store = FileStore(tmp_path)
        session = await store.open(identity())
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 1)
            looked = session.has_claim(BotId(1), Term(1))
            with pytest.raises(SessionOver):
                await store.beat(session)
        return looked

    assert asyncio.run(body()) is False


def test_a_store_that_is_gone_is_not_looked_after() -> None:
    """Forks know stores by weak references."""

    class Store:
        database_files = (Path("a"), Path("b"), Path("c"))

        def locks(self) -> list[object]:
            raise AssertionError("asked")

    forks = Forks()
    forks.add(Store())  # type: ignore[arg-type]  # a stand-in, gone at once
    forks.before()
    forks.after_in_parent()
