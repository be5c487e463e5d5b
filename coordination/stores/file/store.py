"""The file store: a directory on this host, shared by all processes that may poll the same bots.

Promises what the seam promises, on one host and one local file system. Liveness is a kernel lock with a beat
beside it, claims are rows in SQLite; nothing is written in the steady state but the beat. It cannot see other
hosts. It opens nothing before the first call, and uses a fixed handful of descriptors.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId, boot_clock, new_session_id
from onepoller.coordination.stores.file import fitness, reading, rebuild, writing
from onepoller.coordination.stores.file.connection import Replaced
from onepoller.coordination.stores.file.database import Database
from onepoller.coordination.stores.file.fork import forks
from onepoller.coordination.stores.file.hearing import has_inotify
from onepoller.coordination.stores.file.marks import inode_at
from onepoller.coordination.stores.file.observer import Observer
from onepoller.coordination.stores.file.rows import SessionRow
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.file.session_file import WAKE, Content, SessionFile, mark
from onepoller.coordination.stores.file.system_errors import system_errors
from onepoller.coordination.stores.file.watch import Watch
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.records import identity_of, identity_text
from onepoller.coordination.stores.seam import (
    Batch,
    Change,
    Claim,
    Liveness,
    Session,
    SessionRecord,
    Snapshot,
    Swapped,
)

_CLOSE_LIMIT = 1.0
"""How long a goodbye waits for a busy database. Without it our lock, which is free, says the same."""
_TIDY_AFTER = 0.05
"""What a takeover leaves behind is cleared so much later, seconds: not in the way of the first poll."""


class FileStore:
    """Sessions, claims and wishes in a directory. Raises StoreUnfit here where it can be known here."""

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        lease: float = 10.0,
        margin: float | None = None,
        allow_unfit: bool = False,
        busy_limit: float = 5.0,
        slow_look: float = 1.0,
        boot_clock: Callable[[], float] = boot_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = Lease.of(lease, margin=margin)
        named = fitness.named_directory(directory, os.environ)
        if named is not None:
            self._places = fitness.named_places(named, allow_unfit=allow_unfit)
        else:
            self._places = fitness.default_places(os.environ)
        self._database = Database(self._places, busy_limit=busy_limit)
        self._observer = Observer(self._places.sessions, monotonic=monotonic)
        self._slow_look = slow_look
        self._boot_clock = boot_clock
        self._sessions: set[FileSession] = set()
        self._ended: list[SessionRow] = []
        """Those whose files are still to be unlinked."""
        self._watch: Watch | None = None
        forks.add(self)

    def __repr__(self) -> str:
        return f"<FileStore {self.directory} {len(self._sessions)} own sessions>"

    def __str__(self) -> str:
        return f"file://{self.directory}"

    @property
    def directory(self) -> Path:
        """Where everything lies."""
        return self._places.directory

    @property
    def coverage(self) -> str | None:
        """One sentence where the store covers less than the host."""
        if not fitness.is_overlay(self._places):
            return None
        return (
            f"Only this container is covered against a second poller: {self.directory} lies in its own layer."
        )

    @property
    def is_event_driven(self) -> bool:
        """Whether changes are heard at once; else only the slow look finds them."""
        return has_inotify() if self._watch is None else self._watch.is_event_driven

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on."""
        forks.check()
        with system_errors(self.directory):
            self._places.make()
            await self._database.ready()
            own, row = self._new_session(identity)

        try:
            gone = await self._database.write(
                lambda tables: writing.enter(tables, row, is_dead=self._observer.is_dead)
            )
            await self._keep_up(own)
        except BaseException:
            self._drop(own)
            own.file.unlink()
            raise
        self._ended += gone
        self._tidy()
        return own

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody who waits is woken. Idempotent."""
        own = _own(session)
        forks.check()
        if own not in self._sessions:
            return
        self._tidy()
        try:
            with own.writing_to():
                await self._database.write(lambda tables: writing.leave(tables, own.id), limit=_CLOSE_LIMIT)
        except StoreUnavailable:
            # Our lock is free in a moment, which proves as much; the file is left to whoever ends us.
            self._drop(own)
        except BaseException:
            self._drop(own)
            raise
        else:
            self._drop(own)
            own.file.unlink()

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:
        """Say that the session lives, and move its deadline; past it, only inside a write transaction."""
        own = _own(session)

        def beat(tables: sqlite3.Connection) -> None:
            at = self._boot_clock()
            own.file.beat(report)
            writing.check_alive(tables, own.id)
            own.beaten(at)

        with system_errors(self.directory), self._ending(own):
            await self._keep_up(own)
            self._database.keep_log_short()
            if not confirm and self._boot_clock() < own.deadline:
                try:
                    own.look(beat)
                except (Replaced, sqlite3.Error):
                    pass  # a transaction finds out what it is
                else:
                    return
            await self._database.write(beat)
            await self._keep_up(own)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all. Makes nothing where there is no store yet."""
        forks.check()
        if not self._sessions and not self._places.database.exists():
            return Snapshot(
                claims={bot_id: Claim(bot_id=bot_id) for bot_id in bots or ()},
                wishes=dict.fromkeys(bots or (), ()),
                sessions={},
            )
        try:
            view = await self._database.read(lambda tables: reading.view(tables, bots))
            trouble = self._database.trouble() or (self._database.stopped_writer() if bots is None else "")
        finally:
            if not self._sessions:
                self._database.close()
        sessions = {row.id: self._record(row) for row in view.sessions}
        return Snapshot(claims=view.claims, wishes=view.wishes, sessions=sessions, trouble=trouble)

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one transaction; each claim only if its version is as expected."""
        own = _own(session)
        with self._ending(own):
            await self._check(own)
            with own.writing_to(swap.claim.bot_id for swap in batch.swaps):
                outcome = await self._database.write(  # it looks itself whether the database was replaced
                    lambda tables: writing.apply(tables, own.id, batch, prove=self._is_over, mark=self._mark),
                    may_spend_reserve=any(swap.requires_over for swap in batch.swaps),
                )
            self._attach(own)
        self._wake(batch.wake)
        if outcome.ended:
            self._ended += outcome.ended
            asyncio.get_running_loop().call_later(_TIDY_AFTER, self._tidy)
        else:
            self._database.reserve.keep()
        return Swapped(written=outcome.written)

    def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield at once, when woken, when a session ends, and at a slow look that found something."""
        self._watch = Watch(
            _own(session), self._observer, version=self._database.version, slow_look=self._slow_look
        )
        return self._watch.run(self._places.sessions)

    @property
    def database_files(self) -> tuple[Path, Path, Path]:
        """For `fork`: the database, its -wal and its -shm."""
        return self._places.database_files

    def locks(self) -> Iterable[threading.Lock]:
        """For `fork`: what is held during a use of a connection."""
        return [self._database.lock, *(own.lock for own in self._sessions)]

    def abandon(self) -> Iterable[sqlite3.Connection | None]:
        """For `fork`: be as if never opened."""
        connections = [self._database.abandon(), *(own.abandon() for own in self._sessions)]
        self._sessions.clear()
        return connections

    def _new_session(self, identity: Identity) -> tuple[FileSession, SessionRow]:
        session_id = new_session_id()
        row = SessionRow(
            id=session_id, inode=0, lease=self._lease.seconds, identity=identity_text(identity), is_over=False
        )
        with self._database.lock:  # a fork finds the file known, or not made
            at = self._boot_clock()
            file = SessionFile.create(
                self._places.session(session_id), mode=self._places.file_mode, header=rebuild.header_of(row)
            )
            own = FileSession(session_id, file, lease=self._lease, beaten_at=at)
            self._sessions.add(own)
        return own, replace(row, inode=file.inode.number)

    async def _keep_up(self, own: FileSession) -> None:
        """Notice what was replaced: a lost file ends the session, a new database may go on with it."""
        await self._check(own)
        await self._database.ready()
        self._attach(own)

    async def _check(self, own: FileSession) -> None:
        """Whether the session is ours still, and its file where it was."""
        forks.check()
        if own not in self._sessions:
            raise SessionOver(f"Session {own.id} is over; open a new one.")
        if not own.file.is_in_place():
            await self.close(own)
            raise SessionOver(
                f"Session {own.id} was ended by another process, or lost its file; open a new one."
            )

    def _attach(self, own: FileSession) -> None:
        """Have the session look into the database that is open now."""
        if own.generation != self._database.generation:
            try:
                own.attach(
                    self._places.database, marks=self._database.marks, generation=self._database.generation
                )
            except sqlite3.Error as error:
                raise StoreUnavailable(f"{self.directory} does not answer: {error}.") from error

    @contextmanager
    def _ending(self, own: FileSession) -> Iterator[None]:
        """Free everything of a session that turns out to be over."""
        try:
            yield
        except SessionOver:
            self._drop(own)
            raise

    def _mark(self, session_id: SessionId) -> None:
        if session_id not in self._observer.dead:  # a process that is gone delivers nothing
            with system_errors(self.directory):
                mark(self._places.session(session_id))

    def _is_over(self, row: SessionRow) -> bool:
        return self._observer.look(row) is not Liveness.ALIVE

    def _record(self, row: SessionRow) -> SessionRecord:
        content = Content() if row.is_over else self._observer.content(row)
        return SessionRecord(
            id=row.id,
            identity=identity_of(row.identity),
            liveness=self._observer.look(row),
            lease=row.lease,
            report=content.report,
            silence=time.time() - content.beaten_at,
        )

    def _drop(self, own: FileSession) -> None:
        self._sessions.discard(own)
        own.close()
        if not self._sessions:
            self._database.close()

    def _tidy(self) -> None:
        """Unlink the files of those whom we have ended, and keep the reserve."""
        ended, self._ended = self._ended, []
        for row in ended:
            path = self._places.session(row.id)
            inode = inode_at(path)
            if inode is not None and inode.number == row.inode:
                path.unlink(missing_ok=True)
        self._database.reserve.keep()

    def _wake(self, sessions: Collection[SessionId]) -> None:
        """Open their files for writing and close them; after the commit, or they would look too early."""
        for session_id in sessions:
            try:
                descriptor = os.open(self._places.session(session_id), WAKE)
            except OSError:  # gone meanwhile, or no descriptor left: the slow look stands behind
                continue
            os.close(descriptor)


def _own(session: Session) -> FileSession:
    if not isinstance(session, FileSession):
        raise TypeError(f"not a session of a file store: {session!r}")
    return session
