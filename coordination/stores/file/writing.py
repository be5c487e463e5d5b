"""What is written, statement by statement; each function runs inside a transaction of the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.file import schema
from onepoller.coordination.stores.file.rows import (
    CLAIM,
    CLAIM_VALUES,
    SESSION,
    WISH,
    SessionRow,
    among,
    row_of_claim,
    row_of_wish,
    session_of,
    wish_of,
)
from onepoller.coordination.stores.seam import Batch, Claim, Wish

Proof = Callable[[SessionRow], bool]
"""Whether a session is over, looked at now."""
Mark = Callable[[SessionId], None]
"""Sets the mark of a session (`session_file`), which takes what the database says of its claims for known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a batch did."""

    written: Mapping[BotId, Claim]
    ended: Sequence[SessionRow] = field(default=())
    """Sessions that this transaction has ended: their files are to be unlinked."""


def apply(
    connection: sqlite3.Connection, writer: SessionId, batch: Batch, *, prove: Proof, mark: Mark
) -> Outcome:
    """Write a batch: the claims whose version is the expected one, and whose condition can be proved.

    The same statements each time, so that a takeover finds them compiled.
    """
    check_alive(connection, writer)
    versions, holders = _standing_claims(connection, [swap.claim.bot_id for swap in batch.swaps])
    matching = [swap for swap in batch.swaps if versions.get(swap.claim.bot_id, 0) == swap.claim.version]
    required = {swap.requires_over for swap in matching if swap.requires_over is not None}
    over, ended = _prove(connection, required, prove)
    first_term = schema.first_term(connection)
    written = {
        swap.claim.bot_id: _next(swap.claim, first_term, holders.get(swap.claim.bot_id, ""))
        for swap in matching
        if swap.requires_over is None or swap.requires_over in over
    }
    former = {holder for bot_id in written if (holder := holders.get(bot_id))}
    for session_id in {row.id for row in ended} | (former - over - {writer}):
        mark(session_id)
    connection.executemany(
        f"INSERT OR REPLACE INTO claims ({CLAIM}) VALUES ({CLAIM_VALUES})",  # noqa: S608  # our own names
        map(row_of_claim, written.values()),
    )
    _write_wishes(connection, writer, batch, written)
    return Outcome(written=written, ended=ended)


def enter(connection: sqlite3.Connection, row: SessionRow, *, is_dead: Proof) -> Sequence[SessionRow]:
    """Add a session, and forget those that died holding nothing; gives the files to unlink."""
    schema.note_boot(connection)
    connection.execute(
        f"INSERT OR REPLACE INTO sessions ({SESSION}) VALUES (?, ?, ?, ?, 0)",  # noqa: S608  # our own names
        (row.id, row.inode, row.lease, row.identity),
    )
    named = {name for pair in connection.execute("SELECT DISTINCT holder, heir FROM claims") for name in pair}
    idle = [other for other in sessions(connection) if other.id not in named and other.id != row.id]
    gone = [other for other in idle if other.is_over or is_dead(other)]
    _end(connection, gone)
    connection.executemany("DELETE FROM sessions WHERE id = ?", [(other.id,) for other in gone])
    return gone


def leave(connection: sqlite3.Connection, session_id: SessionId) -> None:
    """End our own session, unless somebody has done so: its claims are free, without a clean end."""
    if not is_alive(connection, session_id):
        return
    connection.execute("UPDATE sessions SET is_over = 1 WHERE id = ?", (session_id,))
    connection.execute("DELETE FROM wishes WHERE session = ?", (session_id,))
    connection.execute(
        "UPDATE claims SET holder = NULL, heir = NULL, clean = 0, version = version + 1 WHERE holder = ?",
        (session_id,),
    )


def check_alive(connection: sqlite3.Connection, session_id: SessionId) -> None:
    """Raise SessionOver unless the database names the session and has not ended it."""
    if not is_alive(connection, session_id):
        raise SessionOver(f"Session {session_id} was ended by another process; open a new one.")


def is_alive(connection: sqlite3.Connection, session_id: SessionId) -> bool:
    """Whether the database names the session and has not ended it."""
    query = "SELECT 1 FROM sessions WHERE id = ? AND NOT is_over"
    return connection.execute(query, (session_id,)).fetchone() is not None


def sessions(connection: sqlite3.Connection) -> Iterator[SessionRow]:
    """Every session there is."""
    return map(session_of, connection.execute(f"SELECT {SESSION} FROM sessions"))  # noqa: S608  # our own names


def _standing_claims(
    connection: sqlite3.Connection, bots: Sequence[BotId]
) -> tuple[dict[BotId, int], dict[BotId, SessionId | None]]:
    """The versions and the holders of these bots' claims, where there are any."""
    these, ids = among("bot_id", bots)
    query = f"SELECT bot_id, version, holder FROM claims WHERE {these}"  # noqa: S608  # our own names
    rows = connection.execute(query, (ids,)).fetchall()
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


def _prove(
    connection: sqlite3.Connection, required: Collection[SessionId], prove: Proof
) -> tuple[set[SessionId], list[SessionRow]]:
    """Which of the required sessions are over, and which of them this transaction ends."""
    these, ids = among("id", required)
    query = f"SELECT {SESSION} FROM sessions WHERE {these}"  # noqa: S608  # our own names
    rows = [session_of(row) for row in connection.execute(query, (ids,))]
    ended = [row for row in rows if not row.is_over and prove(row)]
    _end(connection, ended)
    alive = {row.id for row in rows if not row.is_over} - {row.id for row in ended}
    # One that has no row any more was over long ago: its process finds no row either, and never writes again.
    return set(required) - alive, ended


def _end(connection: sqlite3.Connection, ended: Collection[SessionRow]) -> None:
    ids = [(row.id,) for row in ended]
    connection.executemany("UPDATE sessions SET is_over = 1 WHERE id = ?", ids)
    connection.executemany("DELETE FROM wishes WHERE session = ?", ids)


def _next(claim: Claim, first_term: Term, former: SessionId | str | None) -> Claim:
    """The claim as it is written; no holder keeps another term than its own."""
    return claim.written(claim.term if claim.holder == former else max(claim.term, first_term))


def _write_wishes(
    connection: sqlite3.Connection, writer: SessionId, batch: Batch, written: Collection[BotId]
) -> None:
    """Write what differs: a wish that stands as it is costs no write."""
    if any(wish.session != writer for wish in batch.wishes):
        raise ValueError("a session writes its own wishes only")
    if batch.wishes:
        standing = _standing(connection, writer)
        connection.executemany(
            "INSERT INTO wishes (bot_id, session, priority, mode, aim) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (bot_id, session) DO UPDATE SET"
            " priority = excluded.priority, mode = excluded.mode, aim = excluded.aim",
            [row for row in map(row_of_wish, batch.wishes) if row not in standing],
        )
    these, ids = among("bot_id", batch.taken_back(written))
    connection.execute(f"DELETE FROM wishes WHERE session = ? AND {these}", (writer, ids))  # noqa: S608  # our own names


def _standing(connection: sqlite3.Connection, writer: SessionId) -> set[tuple[object, ...]]:
    query = f"SELECT {WISH} FROM wishes WHERE session = ?"  # noqa: S608  # our own names
    wishes: Iterator[Wish] = map(wish_of, connection.execute(query, (writer,)))
    return {row_of_wish(wish) for wish in wishes}
