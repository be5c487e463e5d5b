"""What a read asks of the server, and the snapshot that comes of it. Nothing is written.

Two round trips: the claims, and then the sessions with their wishes. What happens in between can only show a
session later than a claim, and a claim that was decided upon is written only if it is still the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.records import identity_of
from onepoller.coordination.stores.redis import rows
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Command, Line, run
from onepoller.coordination.stores.redis.scripts import PAGE, PICK
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot, Wish

_AT_ONCE = 5000
"""Lua takes no more fields in one call than fit on its stack."""
_FIELDS = ("identity", "lease", "over", "at")


async def snapshot(line: Line, keys: Keys, bots: Collection[BotId] | None) -> Snapshot:
    """These bots, or all."""
    if bots is None:
        claims = {b: rows.claim_of(b, text) for b, text in (await _page(line, keys.claims)).items()}
        members, time = await line.ask(("SMEMBERS", keys.sessions), ("TIME",))
    else:
        wanted = list(bots)
        members, time, *texts = await line.ask(
            ("SMEMBERS", keys.sessions), ("TIME",), *_picks(keys.claims, wanted)
        )
        claims = {b: rows.claim_of(b, text) for b, text in _picked(wanted, texts)}
    ids = [SessionId(member.decode()) for member in members]
    records = await _records(line, keys, ids, seconds=int(time[0]) + int(time[1]) / 1e6, reports=bots is None)
    living = [one for one, record in records.items() if record.liveness is not Liveness.OVER]
    wishes = await _wishes(line, keys, living, bots)
    named = claims.keys() | wishes.keys() if bots is None else bots
    for bot_id in named:
        claims.setdefault(bot_id, Claim(bot_id=bot_id))
    if bots is not None:
        about = {name for claim in claims.values() for name in (claim.holder, claim.heir)}
        about |= {wish.session for standing in wishes.values() for wish in standing}
        records = {one: record for one, record in records.items() if one in about}
    return Snapshot(
        claims=claims,
        wishes={bot_id: tuple(sorted(wishes.get(bot_id, ()), key=_place)) for bot_id in named},
        sessions=records,
    )


async def _records(
    line: Line, keys: Keys, ids: Collection[SessionId], *, seconds: float, reports: bool
) -> dict[SessionId, SessionRecord]:
    """What is known of these sessions. `seconds`: the server's clock."""
    fields = (*_FIELDS, "report") if reports else _FIELDS
    asked: list[Command] = []
    for one in ids:
        asked += [("HMGET", keys.session(one), *fields), ("EXISTS", keys.alive(one))]
    replies = await line.ask(*asked) if asked else []
    records = {}
    for one, kept, is_alive in zip(ids, replies[::2], replies[1::2], strict=True):
        identity, lease, over, at, *report = kept
        if identity is None:
            continue  # a day has passed
        records[one] = SessionRecord(
            id=one,
            identity=identity_of(identity),
            liveness=Liveness.OVER if over else Liveness.ALIVE if is_alive else Liveness.SILENT,
            lease=int(lease) / 1000,
            report=(report[0] or b"") if report else b"",
            silence=max(0.0, seconds - int(at) / 1000),
        )
    return records


async def _wishes(
    line: Line, keys: Keys, ids: Collection[SessionId], bots: Collection[BotId] | None
) -> dict[BotId, list[Wish]]:
    """The wishes of these sessions for these bots, or for all."""
    found: dict[BotId, list[Wish]] = {}
    if bots is None:
        texts = [text for one in ids for text in (await _page(line, keys.wishes(one))).values()]
    else:
        wanted = list(bots)
        picks = [pick for one in ids for pick in _picks(keys.wishes(one), wanted)]
        lines = await line.ask(*picks) if picks else []
        texts = [text for reply in lines for text in reply.decode().split("\n") if text]
    for text in texts:
        wish = rows.placed_wish_of(text)
        found.setdefault(wish.bot_id, []).append(wish)
    return found


def _picks(key: str, bots: list[BotId]) -> list[Command]:
    return [run(PICK, [key], *bots[at : at + _AT_ONCE]) for at in range(0, len(bots), _AT_ONCE)]


def _picked(bots: list[BotId], replies: Iterable[bytes]) -> Iterable[tuple[BotId, str]]:
    texts = [text for reply in replies for text in reply.decode().split("\n")]
    return ((bot_id, text) for bot_id, text in zip(bots, texts, strict=True) if text)


async def _page(line: Line, key: str) -> dict[BotId, str]:
    """The whole of a hash, page by page."""
    found: dict[BotId, str] = {}
    cursor: Any = b"0"
    while True:
        ((cursor, text),) = await line.ask(run(PAGE, [key], cursor))
        for row in text.decode().split("\n") if text else ():
            bot_id, _, value = row.partition(" ")
            found[BotId(int(bot_id))] = value
        if cursor == b"0":
            return found


def _place(wish: Wish) -> int:
    return wish.since
