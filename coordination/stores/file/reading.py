"""What is read: the snapshot of some bots or of all, in one transaction of the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.file.rows import (
    CLAIM,
    SESSION,
    WISH,
    SessionRow,
    among,
    claim_of,
    session_of,
    wish_of,
)
from onepoller.coordination.stores.seam import Claim, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Claims, wishes and session rows as they were at one moment."""

    claims: dict[BotId, Claim]
    wishes: dict[BotId, Sequence[Wish]]
    sessions: Sequence[SessionRow]


def view(connection: sqlite3.Connection, bots: Collection[BotId] | None) -> View:
    """Everything about these bots, or about all."""
    some, ids = _where("bot_id", bots)
    claims = {row[0]: claim_of(row) for row in connection.execute(f"SELECT {CLAIM} FROM claims {some}", ids)}  # noqa: S608  # our own names
    wishes: dict[BotId, list[Wish]] = {}
    for row in connection.execute(f"SELECT {WISH} FROM wishes {some} ORDER BY since", ids):  # noqa: S608  # our own names
        wish = wish_of(row)
        wishes.setdefault(wish.bot_id, []).append(wish)
    wanted = claims.keys() | wishes.keys() if bots is None else bots
    return View(
        claims={bot_id: claims.get(bot_id) or Claim(bot_id=bot_id) for bot_id in wanted},
        wishes={bot_id: tuple(wishes.get(bot_id, ())) for bot_id in wanted},
        sessions=_sessions(connection, None if bots is None else _named(claims, wishes)),
    )


def _named(claims: dict[BotId, Claim], wishes: dict[BotId, list[Wish]]) -> set[SessionId]:
    named = {name for claim in claims.values() for name in (claim.holder, claim.heir) if name is not None}
    return named | {wish.session for standing in wishes.values() for wish in standing}


def _sessions(connection: sqlite3.Connection, named: Collection[SessionId] | None) -> list[SessionRow]:
    some, ids = _where("id", named)
    rows = connection.execute(f"SELECT {SESSION} FROM sessions {some}", ids)  # noqa: S608  # our own names
    return [session_of(row) for row in rows]


def _where(
    column: str, wanted: Collection[int | str] | None
) -> tuple[str, tuple[()] | tuple[int | str | None]]:
    """The clause for these, or for all, and its parameters."""
    if wanted is None:
        return "", ()
    these, ids = among(column, wanted)
    return f"WHERE {these}", (ids,)
