"""The public contract, run against the store in memory and the file store, on clocks that the tests move."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Session, Store
from onepoller.testing.store_contract import StoreContract

SLOW_LOOK = 0.02


class TestMemoryStore(StoreContract):
    """The reference."""

    now = 1000.0

    async def store(self) -> Store:
        """A store whose clock stands still."""
        return MemoryStore(lease=self.lease, clock=lambda: self.now, slow_look=SLOW_LOOK)

    async def handle(self, store: Store) -> Store:
        """The object is what its users share."""
        return store

    async def kill(self, store: Store, session: Session) -> None:
        """What a simulation calls."""
        assert isinstance(store, MemoryStore)
        store.kill(session.id)

    async def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds


class TestFileStore(StoreContract):
    """Each handle is a store object of its own, as in another process."""

    now = 1000.0

    @pytest.fixture(autouse=True)
    def _directories(self, tmp_path: Path) -> None:
        self.directories = (tmp_path / str(number) for number in itertools.count())

    def on(self, directory: Path) -> FileStore:
        """A handle on a directory, with clocks that stand still."""
        return FileStore(
            directory,
            lease=self.lease,
            slow_look=SLOW_LOOK,
            boot_clock=lambda: self.now,
            monotonic=lambda: self.now,
        )

    async def store(self) -> Store:
        """A new directory."""
        return self.on(next(self.directories))

    async def handle(self, store: Store) -> Store:
        """Another object, with connections of its own."""
        assert isinstance(store, FileStore)
        return self.on(store.directory)

    async def kill(self, store: Store, session: Session) -> None:  # noqa: ARG002  # the rig's parameter
        """What the kernel does for a dead process: its files are closed, and nothing is written."""
        assert isinstance(session, FileSession)
        session.file.close()

    async def pass_time(self, seconds: float) -> None:
        """Move both clocks."""
        self.now += seconds


class TestFileStoreWithoutInotify(TestFileStore):
    """Where nothing is heard, the slow look finds everything."""

    @pytest.fixture(autouse=True)
    def _deaf(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("onepoller.coordination.stores.file.hearing.has_inotify", lambda: False)
