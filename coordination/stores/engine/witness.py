"""Witnesses of this host: kernel locks that prove which sessions of a server are dead.

Each session has a file, named after its id, in `engine-sessions/` of the state directory. Its process keeps
it locked (`flock`) for as long as it may poll with that session. The file says on which boot and with which
inode it was made. A shared lock that could be had on that very inode, on that boot, is the only proof: no
file, a copy, another boot, a fork that kept a duplicate of the descriptor prove nothing, and then the lease
on the server counts.
"""

from __future__ import annotations

import os
import re
import time
import weakref
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.file import flock
from onepoller.coordination.stores.file.observer import PROBE
from onepoller.coordination.stores.file.places import Places
from onepoller.coordination.stores.file.session_file import SessionFile, parse

FOLDER = "engine-sessions"
KEPT = 86400.0
"""A file whose lock is free is unlinked after so many seconds: its session has long been over."""
_MOST = 512
"""Bytes: no file is longer."""
_ID = re.compile(r"[0-9a-f]{16}")


class Witnesses:
    """The session files of one directory. Makes nothing before `testify`."""

    def __init__(self, places: Places, *, boot_id: str) -> None:
        self._places = replace(places, folder=FOLDER)
        self.boot_id = boot_id

    @property
    def directory(self) -> Path:
        """Where the files lie."""
        return self._places.sessions

    def has_place(self) -> bool:
        """Make the directory; false where that cannot be done. Raises no OSError."""
        with suppress(OSError):
            self._places.make()
            return True
        return False

    def testify(self, session_id: SessionId) -> SessionFile | None:
        """Lock a file for our own session; None where that proves nothing here. Raises no OSError."""
        with suppress(OSError):
            self._places.make()
            self._tidy()
            file = SessionFile.create(
                self._places.session(session_id), mode=self._places.file_mode, header=self.boot_id.encode()
            )
            _locked.add(file)
            file.beat(_stamp(file.inode.number))
            if not self.is_dead(session_id):
                return file
            file.unlink()  # here everybody may have every lock
            file.close()
        return None

    def is_dead(self, name: str) -> bool:
        """Whether the process of this session has let go of its lock. False proves nothing."""
        if not self.boot_id or not _ID.fullmatch(name):
            return False
        try:
            descriptor = os.open(self.directory / name, PROBE)
        except OSError:
            return False
        try:
            content = parse(os.pread(descriptor, _MOST, 0))
            is_its_own = content.report == _stamp(os.fstat(descriptor).st_ino)
            return is_its_own and content.header == self.boot_id.encode() and flock.is_free(descriptor)
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def all_dead(self, *, besides: Collection[str] = ()) -> set[SessionId]:
        """Every session here whose process is dead; these are not looked at."""
        return {SessionId(name) for name in self._names() if name not in besides and self.is_dead(name)}

    def forget(self, session_id: SessionId) -> None:
        """Unlink the file of a session that was proved dead, and is over on the server."""
        if self.is_dead(session_id):
            with suppress(OSError):
                self._places.session(session_id).unlink()

    def _names(self) -> list[str]:
        with suppress(OSError):
            return [name for name in os.listdir(self.directory) if _ID.fullmatch(name)]
        return []

    def _tidy(self) -> None:
        """Unlink what nobody locks since long ago: of earlier boots, and of servers that are gone."""
        for name in self._names():
            with suppress(OSError):
                path = self.directory / name
                if path.stat().st_mtime < time.time() - KEPT and _is_free(path):
                    path.unlink()


def _stamp(inode: int) -> bytes:
    return f"inode {inode}\n".encode()


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, PROBE)
    try:
        return flock.is_free(descriptor)
    finally:
        os.close(descriptor)


_locked: weakref.WeakSet[SessionFile] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child: its duplicates would make a dead parent seem to live."""
    for file in list(_locked):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
