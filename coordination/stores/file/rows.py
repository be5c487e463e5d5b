"""Claims, wishes and sessions as rows, and back."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores import records
from onepoller.coordination.stores.seam import Claim, Episode, Offset, Standing, Wish, WishMode

CLAIM = "bot_id, version, holder, term, since, heir, clean, acknowledged, episode, tenure, tenure_at"
CLAIM_VALUES = ", ".join("?" for _ in CLAIM.split(","))
WISH = "bot_id, session, since, priority, mode, aim"
SESSION = "id, inode, lease, identity, is_over"

Row = tuple[Any, ...]  # what sqlite3 gives


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as the database knows it."""

    id: SessionId
    inode: int
    """The number alone: another mount of the same directory may show another device."""
    lease: float
    identity: str
    is_over: bool


def claim_of(row: Row) -> Claim:
    """The claim in a row of `CLAIM`."""
    bot_id, version, holder, term, since, heir, clean, acknowledged, episode, tenure, at = row
    return Claim(
        bot_id=bot_id,
        version=version,
        holder=holder,
        term=term,
        since=since,
        heir=heir,
        clean=bool(clean),
        offset=records.offset_of(_parsed(acknowledged)),
        episode=records.episode_of(_parsed(episode)),
        standing=None if tenure is None else Standing(tenure=tenure, at=at),
    )


def row_of_claim(claim: Claim) -> Row:
    """The row of `CLAIM` for a claim."""
    standing = claim.standing
    return (
        claim.bot_id,
        claim.version,
        claim.holder,
        claim.term,
        claim.since,
        claim.heir,
        claim.clean,
        claim.offset and _text(claim.offset),
        claim.episode and _text(claim.episode),
        standing and standing.tenure,
        standing and standing.at,
    )


def wish_of(row: Row) -> Wish:
    """The wish in a row of `WISH`."""
    bot_id, session, since, priority, mode, aim = row
    return Wish(
        bot_id=BotId(bot_id),
        session=SessionId(session),
        since=since,
        priority=priority,
        mode=WishMode(mode),
        aim=None if aim is None else Term(aim),
    )


def row_of_wish(wish: Wish) -> Row:
    """Everything of a wish but its place: bot, session, priority, mode, aim."""
    return wish.bot_id, wish.session, wish.priority, str(wish.mode), wish.aim


def session_of(row: Row) -> SessionRow:
    """The session in a row of `SESSION`."""
    session_id, inode, lease, identity, is_over = row
    return SessionRow(
        id=SessionId(session_id), inode=inode, lease=lease, identity=identity, is_over=bool(is_over)
    )


def among(column: str, ids: Collection[int | str]) -> tuple[str, int | str | None]:
    """A condition that a column is one of these ids, and its one parameter.

    One id is compared plainly, which takes 40 us less; and so are none (NULL equals nothing), so that the
    statement of a takeover is one that was compiled before.
    """
    if len(ids) > 1:
        return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(ids))  # noqa: S608  # our own names
    return f"{column} = ?", next(iter(ids), None)


def _text(record: Offset | Episode) -> str:
    return json.dumps(records.fields_of(record))


def _parsed(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None
