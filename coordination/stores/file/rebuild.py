"""Sessions and claims of a database that was lost, found again in the session files of those that live.

A session whose lock is held keeps its row, and the bots that it polls by its last report; where two say so,
the one that polled last. Terms are new and higher, and the version is one that nobody expects. Wishes,
offsets and episodes are lost. The files of the dead are unlinked.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.report import BotReport, Role, unpack
from onepoller.coordination.stores.file import flock, schema
from onepoller.coordination.stores.file.rows import CLAIM, CLAIM_VALUES, SESSION, SessionRow, row_of_claim
from onepoller.coordination.stores.file.session_file import parse
from onepoller.coordination.stores.seam import Claim

_HELD = frozenset({Role.POLLING, Role.CONTENDED, Role.DRAINING, Role.BLOCKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A session that lives, and what it said of its bots."""

    row: SessionRow
    bots: tuple[BotReport, ...]


def header_of(row: SessionRow) -> bytes:
    """What a session file carries, so that its row can be made anew."""
    return json.dumps({"lease": row.lease, "identity": row.identity}).encode()


def adopt(connection: sqlite3.Connection, sessions: Path) -> None:
    """Write the sessions that live, and their claims, into a new database, in the caller's transaction."""
    held: dict[BotId, tuple[float, SessionId]] = {}
    for survivor in survivors(sessions):
        row = survivor.row
        connection.execute(
            f"INSERT INTO sessions ({SESSION}) VALUES (?, ?, ?, ?, 0)",  # noqa: S608  # our own names
            (row.id, row.inode, row.lease, row.identity),
        )
        for bot in survivor.bots:
            held[bot.bot_id] = max(held.get(bot.bot_id, (-1.0, row.id)), (bot.last_poll, row.id))
    term = schema.first_term(connection)
    connection.executemany(
        f"INSERT INTO claims ({CLAIM}) VALUES ({CLAIM_VALUES})",  # noqa: S608  # our own names
        [
            row_of_claim(
                Claim(bot_id=bot_id, version=term, holder=holder, term=term, since=time.time(), clean=False)
            )
            for bot_id, (_, holder) in held.items()
        ],
    )


def survivors(sessions: Path) -> Iterator[Survivor]:
    """Every session whose lock is held."""
    for entry in os.scandir(sessions):
        if entry.is_file(follow_symlinks=False):
            survivor = _survivor(entry.path, SessionId(entry.name))
            if survivor is not None:
                yield survivor


def _survivor(path: str, session_id: SessionId) -> Survivor | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        info = os.fstat(descriptor)
        content = parse(os.pread(descriptor, info.st_size, 0))
        header = json.loads(content.header)
        row = SessionRow(
            id=session_id,
            inode=info.st_ino,
            lease=float(header["lease"]),
            identity=str(header["identity"]),
            is_over=False,
        )
        if flock.is_free(descriptor):
            os.unlink(path)
            return None
    except (OSError, ValueError, KeyError, TypeError):  # not one of ours, or torn
        return None
    finally:
        os.close(descriptor)
    bots = tuple(bot for bot in unpack(content.report) if bot.role in _HELD)
    return Survivor(row=row, bots=bots)
