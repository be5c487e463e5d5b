"""The files of a file store: their names, their rights, and how their directory is made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from onepoller.coordination.identity import SessionId

PRIVATE, SHARED = 0o700, 0o2770
"""Modes of a directory that is ours alone, and of one that a group shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything lies."""

    directory: Path
    group: int | None = None
    """The group that shares the directory, where one does."""
    folder: str = "sessions"
    """Where in it the session files lie."""

    @property
    def database(self) -> Path:
        """Claims, wishes and session rows."""
        return self.directory / "claims.db"

    @property
    def database_files(self) -> tuple[Path, Path, Path]:
        """The database and what SQLite keeps beside it; losing one of them loses the claims."""
        name = self.database.name
        return self.database, self.directory / f"{name}-wal", self.directory / f"{name}-shm"

    @property
    def sessions(self) -> Path:
        """The directory of session files: what is watched, so nothing else lies in it."""
        return self.directory / self.folder

    @property
    def set_up(self) -> Path:
        """Locked while the database is opened or made anew. Never unlinked."""
        return self.directory / "set-up.lock"

    @property
    def reserve(self) -> Path:
        """Space that is given up on a full disk."""
        return self.directory / "reserve"

    @property
    def file_mode(self) -> int:
        """The rights of every file."""
        return 0o600 if self.group is None else 0o660

    def session(self, session_id: SessionId) -> Path:
        """The file of one session."""
        return self.sessions / session_id

    def make(self) -> None:
        """Make the directories that are missing."""
        for directory in (self.directory, self.sessions):
            if not directory.exists():
                self._make(directory)

    def _make(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=PRIVATE, parents=True)
        except FileExistsError:  # another process was faster
            return
        if self.group is not None:
            os.chown(directory, -1, self.group)
            os.chmod(directory, SHARED)
