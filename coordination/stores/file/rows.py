"""Claims, wishes and sessions as rows, and back."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.stores.seam import Claim, Episode, Offset, Standing, Wish, WishMode

CLAIM = "bot_id, version, holder, term, since, heir, clean, acknowledged, episode, standing"
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
    bot_id, version, holder, term, since, heir, clean, acknowledged, episode, standing = row
    return Claim(
        bot_id=bot_id,
        version=version,
        holder=holder,
        term=term,
        since=since,
        heir=heir,
        clean=bool(clean),
        offset=Offset(**json.loads(acknowledged)) if acknowledged else None,
        episode=_episode_of(episode) if episode else None,
        standing=Standing(**json.loads(standing)) if standing else None,
    )


def row_of_claim(claim: Claim) -> Row:
    """The row of `CLAIM` for a claim."""
    return (
        claim.bot_id,
        claim.version,
        claim.holder,
        claim.term,
        claim.since,
        claim.heir,
        claim.clean,
        json.dumps(asdict(claim.offset)) if claim.offset else None,
        json.dumps(asdict(claim.episode)) if claim.episode else None,
        json.dumps(asdict(claim.standing)) if claim.standing else None,
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


def identity_text(identity: Identity) -> str:
    """An identity as it is kept."""
    return json.dumps(asdict(identity))


def identity_of(text: str) -> Identity:
    """The identity in a text of `identity_text`."""
    return Identity(**json.loads(text))


def among(column: str, ids: Collection[int | str]) -> tuple[str, int | str | None]:
    """A condition that a column is one of these ids, and its one parameter.

    One id is compared plainly, which takes 40 us less; and so are none (NULL equals nothing), so that the
    statement of a takeover is one that was compiled before.
    """
    if len(ids) > 1:
        return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(ids))  # noqa: S608  # our own names
    return f"{column} = ?", next(iter(ids), None)


def _episode_of(text: str) -> Episode:
    fields = json.loads(text)
    return Episode(**{**fields, "kind": Kind(fields["kind"])})
