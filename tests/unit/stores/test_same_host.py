"""A store on a server, seen from a host on which a process has died."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import Identity, SessionId, new_session_id
from onepoller.coordination.stores import choice
from onepoller.coordination.stores.engine.same_host import SameHostStore
from onepoller.coordination.stores.engine.witness import KEPT, Witnesses
from onepoller.coordination.stores.file import flock
from onepoller.coordination.stores.file.hearing import has_inotify
from onepoller.coordination.stores.file.places import Places
from onepoller.coordination.stores.seam import Change, Liveness, Session, Store
from onepoller.testing.store_contract import StoreContract
from onepoller.testing.store_contract.rig import BOT, Peer, identity
from tests.unit.stores.server import Client, Server

BOOT = identity().boot_id
NEVER = 3600.0


class TestSameHostStore(StoreContract):
    """The contract; a death is what the kernel makes of it."""

    now = 1000.0

    @pytest.fixture(autouse=True)
    def _directories(self, tmp_path: Path) -> None:
        self.directories = (tmp_path / str(number) for number in itertools.count())

    async def store(self) -> Store:
        """A new server, and a new directory."""
        self.server = Server(lease=self.lease, clock=lambda: self.now, slow_look=0.02)
        self.directory = next(self.directories)
        return self.on_host()

    def on_host(self) -> SameHostStore:
        """Another process of this host."""
        witnesses = Witnesses(Places(directory=self.directory), boot_id=BOOT)
        return SameHostStore(Client(self.server), witnesses, slow_look=0.02)

    async def handle(self, store: Store) -> Store:  # noqa: ARG002  # the rig's parameter
        """Each process has its own."""
        return self.on_host()

    async def kill(self, store: Store, session: Session) -> None:
        """Its files are closed; the server hears nothing."""
        assert isinstance(store, SameHostStore)
        drop(store, session)

    async def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds


def drop(store: SameHostStore, session: Session) -> None:
    """What the kernel does for a dead process."""
    lock = store._locks[session.id]
    assert lock is not None
    lock.close()


class Host:
    """A host with a state directory, and a server somewhere."""

    def __init__(self, directory: Path, *, boot_id: str = BOOT) -> None:
        self.server = Server()
        self.directory = directory
        self.boot_id = boot_id
        self._stores: list[SameHostStore] = []

    @property
    def witnesses(self) -> Witnesses:
        """Its lock files, as one more process sees them."""
        return Witnesses(Places(directory=self.directory), boot_id=self.boot_id)

    async def peer(self) -> Peer:
        """One more process, with a session."""
        store = SameHostStore(Client(self.server), self.witnesses, slow_look=NEVER)
        self._stores.append(store)
        return Peer(store=store, session=await store.open(identity()))

    def close(self) -> None:
        """What the kernel does when its processes end."""
        for store in self._stores:
            store._close_ear()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Give a host."""
    host = Host(tmp_path)
    yield host
    host.close()


def store_of(peer: Peer) -> SameHostStore:
    """Its store, as what it is."""
    assert isinstance(peer.store, SameHostStore)
    return peer.store


def test_the_claim_of_a_dead_process_is_taken_at_once(host: Host) -> None:
    """The server is told that its session is over, and then it is as over as any other."""

    async def body() -> None:
        dead, heir = await host.peer(), await host.peer()
        assert await dead.take() is not None
        drop(store_of(dead), dead.session)
        assert await heir.liveness(dead) is Liveness.SILENT
        taken = await heir.take(requires_over=dead)
        assert taken is not None
        assert taken.holder == heir.id
        assert host.server.ended == [dead.id]
        assert await dead.is_over()
        assert not (host.witnesses.directory / dead.id).exists()

    asyncio.run(body())


def test_a_living_process_is_not_ended(host: Host) -> None:
    """Its lock is held."""

    async def body() -> None:
        holder, other = await host.peer(), await host.peer()
        assert await holder.take() is not None
        assert await other.liveness(holder) is Liveness.ALIVE
        assert await other.take(requires_over=holder) is None
        assert host.server.ended == []
        assert not await holder.is_over()

    asyncio.run(body())


def test_a_death_is_heard_of_at_once(host: Host) -> None:
    """Long before any slow look, and once."""

    async def body() -> None:
        holder, waiting = await host.peer(), await host.peer()
        heard: asyncio.Queue[Change] = asyncio.Queue()

        async def listen() -> None:
            async for change in waiting.store.watch(waiting.session):
                heard.put_nowait(change)

        listening = asyncio.create_task(listen())
        await heard.get()
        drop(store_of(holder), holder.session)
        async with asyncio.timeout(0.5):
            assert await heard.get() == Change(session=holder.id)
        assert heard.empty()
        listening.cancel()
        await asyncio.wait([listening])

    asyncio.run(body())


def test_a_watch_says_that_its_server_is_away(host: Host) -> None:
    """As the inner one does; it is called again."""

    async def body() -> None:
        peer = await host.peer()
        inner = store_of(peer)._inner
        assert isinstance(inner, Client)
        inner.is_away = True
        with pytest.raises(StoreUnavailable):
            await anext(aiter(peer.store.watch(peer.session)))

    asyncio.run(body())


def test_who_cannot_tell_the_server_goodbye_delivers_nothing_and_lets_its_lock_go(host: Host) -> None:
    """In this order: whoever hears of the lock may poll at once."""

    async def body() -> None:
        leaving, heir = await host.peer(), await host.peer()
        mine = await leaving.take()
        assert mine is not None
        inner = store_of(leaving)._inner
        assert isinstance(inner, Client)
        inner.is_away = True
        with pytest.raises(StoreUnavailable):
            await leaving.store.close(leaving.session)
        assert not leaving.session.has_claim(BOT, mine.term)
        assert await heir.take(requires_over=leaving) is not None

    asyncio.run(body())


def test_who_says_goodbye_leaves_no_file(host: Host) -> None:
    """The directory does not grow."""

    async def body() -> None:
        peer = await host.peer()
        assert [file.name for file in host.witnesses.directory.iterdir()] == [peer.id]
        await peer.store.close(peer.session)
        assert list(host.witnesses.directory.iterdir()) == []

    asyncio.run(body())


class Connected(Client):
    """A client that has a connection from its first session on."""

    connection = -1

    async def open(self, identity: Identity) -> Session:
        """Connect."""
        self.connection = os.open(os.devnull, os.O_RDONLY)
        return await super().open(identity)


@pytest.mark.skipif(not has_inotify(), reason="there is no inotify")
def test_the_watch_on_the_directory_is_opened_before_the_connection(host: Host) -> None:
    """The kernel closes a dead process's files from the highest down, and a watch takes it 10 ms."""

    def watches() -> set[int]:
        return {int(link.name) for link in Path("/proc/self/fd").iterdir() if is_watch(link)}

    def is_watch(link: Path) -> bool:
        with suppress(OSError):  # the descriptor that lists them is closed by now
            return str(link.readlink()) == "anon_inode:inotify"
        return False

    async def body() -> None:
        before = watches()
        client = Connected(host.server)
        store = SameHostStore(client, host.witnesses, slow_look=NEVER)
        session = await store.open(identity())
        watching = cast("AsyncGenerator[Change, None]", store.watch(session))
        asking = asyncio.ensure_future(anext(watching))
        await asyncio.wait({asking}, timeout=0.1)
        (ear,) = watches() - before
        asking.cancel()
        await asyncio.wait({asking})
        await watching.aclose()
        await store.close(session)
        os.close(client.connection)

        assert ear < client.connection
        assert watches() == before

    asyncio.run(body())


def test_where_there_is_no_directory_only_the_lease_counts(tmp_path: Path) -> None:
    """Nothing fails."""
    (tmp_path / "file").touch()
    host = Host(tmp_path / "file")

    async def body() -> None:
        holder, other = await host.peer(), await host.peer()
        assert await holder.take() is not None
        assert await other.liveness(holder) is Liveness.ALIVE
        await holder.store.close(holder.session)
        assert await other.take() is not None

    asyncio.run(body())


def test_a_reader_makes_nothing(host: Host) -> None:
    """As for `onepoller status`."""
    asyncio.run(SameHostStore(Client(host.server), host.witnesses).read())
    assert list(host.directory.iterdir()) == []


# What proves a death


def dead_session(host: Host) -> SessionId:
    """A session whose process has died."""
    session_id = new_session_id()
    lock = host.witnesses.testify(session_id)
    assert lock is not None
    lock.close()
    assert host.witnesses.is_dead(session_id)
    return session_id


def replaced_by_a_copy(path: Path) -> None:
    """As a restored backup is."""
    shutil.copy(path, path.with_suffix(".copy"))
    path.unlink()
    path.with_suffix(".copy").rename(path)


def replaced_by_an_empty_one(path: Path) -> None:
    """As somebody may do by hand."""
    path.unlink()
    path.touch()


@pytest.mark.parametrize("what", [Path.unlink, replaced_by_a_copy, replaced_by_an_empty_one])
def test_a_file_that_is_not_the_one_that_was_locked_proves_nothing(
    host: Host, what: Callable[[Path], None]
) -> None:
    """Its process may have the lock on the other."""
    session_id = dead_session(host)
    what(host.witnesses.directory / session_id)
    assert not host.witnesses.is_dead(session_id)
    assert host.witnesses.all_dead() == set()


@pytest.mark.parametrize("boot_id", ["another", ""])
def test_a_file_of_another_boot_proves_nothing(host: Host, boot_id: str) -> None:
    """Two hosts may share a directory; and where no boot has an id, any could be another."""
    session_id = dead_session(host)
    assert not Host(host.directory, boot_id=boot_id).witnesses.is_dead(session_id)


def test_a_name_that_is_no_session_id_is_not_looked_at(host: Host) -> None:
    """It may come from the server."""
    session_id = dead_session(host)
    assert not host.witnesses.is_dead(f"../{host.witnesses.directory.name}/{session_id}")


def test_where_locks_lie_no_file_is_left(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody would take our living session for dead."""
    monkeypatch.setattr(flock, "is_free", lambda _: True)
    assert host.witnesses.testify(new_session_id()) is None
    assert list(host.witnesses.directory.iterdir()) == []


def test_those_of_whom_we_know_are_not_looked_at(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is killed again and again leaves thousands, and each second all would be opened."""
    known, new = dead_session(host), dead_session(host)
    witnesses, looked_at = host.witnesses, list[str]()
    is_dead = witnesses.is_dead

    def look(name: str) -> bool:
        looked_at.append(name)
        return is_dead(name)

    monkeypatch.setattr(witnesses, "is_dead", look)
    assert witnesses.all_dead(besides={known}) == {new}
    assert looked_at == [new]


def test_files_that_nobody_locks_go_after_a_day(host: Host) -> None:
    """Not before, and not those of the living."""
    old, fresh, living = dead_session(host), dead_session(host), new_session_id()
    lock = host.witnesses.testify(living)
    long_ago = time.time() - KEPT - 1
    for name in (old, living):
        os.utime(host.witnesses.directory / name, (long_ago, long_ago))
    newest = new_session_id()
    last = host.witnesses.testify(newest)
    assert {file.name for file in host.witnesses.directory.iterdir()} == {fresh, living, newest}
    assert lock is not None
    assert last is not None
    lock.close()
    last.close()


FORKING = """
import ctypes, os, sys
from pathlib import Path
from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.engine.witness import Witnesses
from onepoller.coordination.stores.file.places import Places

lock = Witnesses(Places(directory=Path(sys.argv[1])), boot_id=sys.argv[2]).testify(SessionId(sys.argv[3]))
assert lock is not None
child = os.fork() if sys.argv[4] == "with hooks" else ctypes.CDLL(None).fork()
if child == 0:
    print("up", flush=True)
    sys.stdin.read()
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "is_proved"), [("with hooks", True), ("without hooks", False)])
def test_a_child_that_outlives_its_parent(host: Host, how: str, is_proved: bool) -> None:
    """It lets the lock go at once; a fork behind Python's back keeps it, and then the lease counts."""
    session_id = new_session_id()
    command = [sys.executable, "-c", FORKING, str(host.directory), BOOT, session_id, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        assert parent.wait() == 0
        assert host.witnesses.is_dead(session_id) is is_proved
        assert parent.stdin is not None
        parent.stdin.close()
        parent.stdout.read()  # until the child has ended too
    assert host.witnesses.is_dead(session_id)


# Which store an engine's URL means


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the URL of an engine that is made here."""
    module = SimpleNamespace(make=lambda _, *, lease: Client(Server(lease=lease)))
    monkeypatch.setitem(sys.modules, "onepoller.coordination.stores.double", module)
    monkeypatch.setitem(choice.ENGINES, "double", "double")
    return "double://server"


def test_every_engine_is_asked_beside_the_locks_of_this_host(engine: str, tmp_path: Path) -> None:
    """Each process makes its own store; nothing is made in the directory before the first call."""
    chosen = choice.choose(engine, state_dir=tmp_path, lease=10.0)
    first, second = chosen.make(), chosen.make()
    assert isinstance(first, SameHostStore)
    assert isinstance(second, SameHostStore)
    assert first is not second
    assert (chosen.name, chosen.note) == (engine, "")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_unfit_costs_one_note(engine: str, tmp_path: Path) -> None:
    """The engine works without it."""
    (tmp_path / "file").touch()
    chosen = choice.choose(engine, state_dir=tmp_path / "file", lease=10.0)
    assert isinstance(chosen.make(), Client)
    assert chosen.note.startswith("A crash is followed after the lease, also on this host: ")
