"""Claims, wishes and sessions as the server takes and gives them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores import records
from onepoller.coordination.stores.seam import (
    Batch,
    Claim,
    Liveness,
    SessionRecord,
    Snapshot,
    Swap,
    Wish,
    WishMode,
)

SWAP = """
SELECT * FROM {s}.swap(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
)
"""
READ = """
WITH c AS (SELECT * FROM {s}.claims WHERE $1::bigint[] IS NULL OR bot_id = ANY ($1)),
    w AS (
        SELECT w.* FROM {s}.wishes w JOIN {s}.sessions s ON s.id = w.session AND NOT s.is_over
        WHERE $1::bigint[] IS NULL OR bot_id = ANY ($1)
    )
SELECT 'claim' AS part, bot_id, version, term, since, clean, holder, heir, acknowledged, episode, standing,
    NULL::bytea AS report
FROM c
UNION ALL
SELECT 'wish', bot_id, since, aim, priority, NULL, session, mode, NULL, NULL, NULL, NULL
FROM w
UNION ALL
SELECT 'session', NULL, NULL, NULL, s.lease, NOT s.is_over AND {s}.is_silent(s, $2), s.id, s.identity,
    CASE WHEN s.is_over THEN 'over' END,
    extract(epoch FROM clock_timestamp() - s.beaten_at)::text, NULL,
    CASE WHEN $1::bigint[] IS NULL THEN s.report END
FROM {s}.sessions s
WHERE $1::bigint[] IS NULL OR s.id IN (
    SELECT holder FROM c UNION SELECT heir FROM c UNION SELECT session FROM w
)
"""
"""One statement, so that its parts fit together. Reports are long, and are read with a read of everything."""


def arguments_of(own: SessionId, sessions_of_ours: Collection[SessionId], batch: Batch) -> list[Any]:
    """What `SWAP` takes. Raises ValueError where a wish is another session's."""
    if any(wish.session != own for wish in batch.wishes):
        raise ValueError("a session writes its own wishes only")
    claims = [swap.claim for swap in batch.swaps]
    return [
        own,
        list(sessions_of_ours),
        [claim.bot_id for claim in claims],
        [claim.version for claim in claims],
        [claim.holder for claim in claims],
        [claim.term for claim in claims],
        [claim.since for claim in claims],
        [claim.heir for claim in claims],
        [claim.clean for claim in claims],
        [_kept(records.fields_of(claim.offset)) for claim in claims],
        [_kept(records.fields_of(claim.episode)) for claim in claims],
        [_kept(records.fields_of(claim.standing)) for claim in claims],
        [swap.requires_over for swap in batch.swaps],
        [wish.bot_id for wish in batch.wishes],
        [wish.priority for wish in batch.wishes],
        [str(wish.mode) for wish in batch.wishes],
        [wish.aim for wish in batch.wishes],
        list(batch.withdrawn),
        list(batch.wake),
    ]


def written_of(swaps: Iterable[Swap], bots: Sequence[int], terms: Sequence[int]) -> dict[BotId, Claim]:
    """The claims as they are now, of those that were written."""
    claims = {swap.claim.bot_id: swap.claim for swap in swaps}
    written = {}
    for number, term in zip(bots, terms, strict=True):
        bot_id = BotId(number)
        written[bot_id] = claims[bot_id].written(Term(term))
    return written


def snapshot_of(rows: Iterable[Mapping[str, Any]], bots: Collection[BotId] | None) -> Snapshot:
    """What the rows of `READ` say; claims that were never written are filled in."""
    claims = {bot_id: Claim(bot_id=bot_id) for bot_id in bots or ()}
    wishes: dict[BotId, list[Wish]] = {bot_id: [] for bot_id in bots or ()}
    sessions = {}
    for row in rows:
        match row["part"]:
            case "claim":
                claim = _claim_of(row)
                claims[claim.bot_id] = claim
            case "wish":
                wish = _wish_of(row)
                wishes.setdefault(wish.bot_id, []).append(wish)
            case _:
                record = _session_of(row)
                sessions[record.id] = record
    for bot_id, standing in wishes.items():
        standing.sort(key=lambda wish: wish.since)
        claims.setdefault(bot_id, Claim(bot_id=bot_id))
    return Snapshot(
        claims=claims, wishes={bot_id: wishes.get(bot_id, []) for bot_id in claims}, sessions=sessions
    )


def _claim_of(row: Mapping[str, Any]) -> Claim:
    return Claim(
        bot_id=BotId(row["bot_id"]),
        version=row["version"],
        holder=row["holder"],
        term=Term(row["term"]),
        since=row["since"],
        heir=row["heir"],
        clean=row["clean"],
        offset=records.offset_of(_parsed(row["acknowledged"])),
        episode=records.episode_of(_parsed(row["episode"])),
        standing=records.standing_of(_parsed(row["standing"])),
    )


def _wish_of(row: Mapping[str, Any]) -> Wish:
    return Wish(
        bot_id=BotId(row["bot_id"]),
        session=SessionId(row["holder"]),
        since=row["version"],
        priority=int(row["since"]),
        mode=WishMode(row["heir"]),
        aim=None if row["term"] is None else Term(row["term"]),
    )


def _session_of(row: Mapping[str, Any]) -> SessionRecord:
    liveness = Liveness.SILENT if row["clean"] else Liveness.ALIVE
    return SessionRecord(
        id=SessionId(row["holder"]),
        identity=records.identity_of(row["heir"]),
        liveness=Liveness.OVER if row["acknowledged"] else liveness,
        lease=row["since"],
        report=row["report"] or b"",
        silence=max(0.0, float(row["episode"])),
    )


def _kept(fields: dict[str, Any] | None) -> str | None:
    return json.dumps(fields) if fields else None


def _parsed(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None
