"""What a read asks of the server, and the snapshot that comes of it. Nothing is written.

Two round trips: what has changed, and then that, with the sessions. What happens in between can only show a
session later than a claim, and a claim that was decided upon is written only if it is still the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.records import identity_of
from onepoller.coordination.stores.redis import rows
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Command, Line, run
from onepoller.coordination.stores.redis.mirror import Mirror
from onepoller.coordination.stores.redis.scripts import PAGE, PICK, SINCE
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot, Wish

_AT_ONCE = 5000
"""Lua takes no more fields in one call than fit on its stack."""
_FIELDS = ("identity", "lease", "over", "at")

Claims = dict[BotId, Claim]
Wishes = dict[BotId, Sequence[Wish]]
Records = dict[SessionId, SessionRecord]


async def everything(line: Line, keys: Keys) -> Snapshot:
    """All bots and all sessions, with their reports."""
    claims = {
        bot_id: rows.claim_of(bot_id, text) for bot_id, text in (await _page(line, keys.claims)).items()
    }
    members, time = await line.ask(("SMEMBERS", keys.sessions), ("TIME",))
    ids = _ids(members)
    asked = _about(keys, ids, reports=True)
    records = _records(ids, await line.ask(*asked) if asked else [], seconds=_seconds(time))
    wishes = _by_bot([text for one in records for text in (await _page(line, keys.wishes(one))).values()])
    for bot_id in wishes:
        claims.setdefault(bot_id, Claim(bot_id=bot_id))
    return _snapshot(list(claims), claims, wishes, records)


async def some(line: Line, keys: Keys, bots: Collection[BotId], mirror: Mirror) -> Snapshot:
    """These bots, and the sessions that have to do with them."""
    (begun, generation), changed, members, time = await line.ask(
        ("MGET", keys.begun, keys.generation),
        run(SINCE, [keys.changed], mirror.stamp[1]),
        ("SMEMBERS", keys.sessions),
        ("TIME",),
    )
    stamp = (begun or b"", int(generation or 0))
    mirror.move(stamp, (BotId(int(bot_id)) for bot_id in changed.split()))
    missing, ids = mirror.missing(bots), _ids(members)
    kept = {bot_id: mirror.claims[bot_id] for bot_id in bots if bot_id in mirror.claims}
    kept_wishes = {bot_id: mirror.wishes[bot_id] for bot_id in kept}  # now: another read may forget some
    about = _about(keys, ids)
    picks = [_picks(key, missing) for key in (keys.claims, *map(keys.wishes, ids))]
    asked = [*about, *(pick for several in picks for pick in several)]
    replies = await line.ask(*asked) if asked else []
    records = _records(ids, replies[: len(about)], seconds=_seconds(time))
    texts = replies[len(about) :]
    claims = _claims(missing, texts[: len(picks[0])])
    wishes = _by_bot(text for reply in texts[len(picks[0]) :] for text in reply.decode().split("\n") if text)
    mirror.keep(stamp, claims, wishes)
    return _snapshot(bots, kept | claims, kept_wishes | wishes, records, only_named=True)


def _snapshot(
    bots: Collection[BotId], claims: Claims, wishes: Wishes, records: Records, *, only_named: bool = False
) -> Snapshot:
    living = {one for one, record in records.items() if record.liveness is not Liveness.OVER}
    standing = {
        bot_id: tuple(wish for wish in wishes.get(bot_id, ()) if wish.session in living) for bot_id in bots
    }
    if only_named:
        named = {name for claim in claims.values() for name in (claim.holder, claim.heir)}
        named |= {wish.session for several in standing.values() for wish in several}
        records = {one: record for one, record in records.items() if one in named}
    return Snapshot(claims=claims, wishes=standing, sessions=records)


def _claims(bots: list[BotId], replies: Iterable[bytes]) -> Claims:
    """Of each of these bots, also where it was never written."""
    texts = [text for reply in replies for text in reply.decode().split("\n")]
    return {
        bot_id: rows.claim_of(bot_id, text) if text else Claim(bot_id=bot_id)
        for bot_id, text in zip(bots, texts, strict=True)
    }


def _by_bot(texts: Iterable[str]) -> Wishes:
    """Wishes by bot, in order of arrival."""
    found: dict[BotId, list[Wish]] = {}
    for text in texts:
        wish = rows.placed_wish_of(text)
        found.setdefault(wish.bot_id, []).append(wish)
    return {bot_id: sorted(several, key=_place) for bot_id, several in found.items()}


def _about(keys: Keys, ids: Iterable[SessionId], *, reports: bool = False) -> list[Command]:
    """What to ask of these sessions."""
    fields = (*_FIELDS, "report") if reports else _FIELDS
    pairs = ([("HMGET", keys.session(one), *fields), ("EXISTS", keys.alive(one))] for one in ids)
    return [command for pair in pairs for command in pair]


def _records(ids: list[SessionId], replies: list[Any], *, seconds: float) -> Records:
    """What was answered. `seconds`: the server's clock."""
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


def _ids(members: Iterable[bytes]) -> list[SessionId]:
    return [SessionId(member.decode()) for member in members]


def _seconds(time: Sequence[bytes]) -> float:
    return int(time[0]) + int(time[1]) / 1e6


def _picks(key: str, bots: list[BotId]) -> list[Command]:
    return [run(PICK, [key], *bots[at : at + _AT_ONCE]) for at in range(0, len(bots), _AT_ONCE)]


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
