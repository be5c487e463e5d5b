"""Reading: one transaction for a snapshot of claims, wishes and sessions, whatever their number."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from onepoller.coordination.identity import BotId, Identity, SessionId
from onepoller.coordination.stores.etcd.claims import Claims
from onepoller.coordination.stores.etcd.gateway import Gateway
from onepoller.coordination.stores.etcd.keys import Keys
from onepoller.coordination.stores.etcd.wishes import Wishes
from onepoller.coordination.stores.etcd.words import Kept, coded, get, get_all, kept, txn
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot

FEW = 60
"""So many claims are read one by one; of more, all that have changed."""
PAGE = 2000
"""Claims in one answer, when all are read for the first time."""
_CLOCK_STEP = 1.0
"""The server's clock tells whole seconds."""


@dataclass(slots=True)
class Known:
    """What is known of a session."""

    record: dict[str, Any] = field(default_factory=dict)
    beaten_at: float = 0.0
    """By the server's clock."""
    is_over: bool = False


class Reading:
    """The reads of one process, and what it remembers of them."""

    def __init__(self, gateway: Gateway, keys: Keys, *, seen: Callable[[Iterable[Claim]], None]) -> None:
        self.claims = Claims()
        self._gateway = gateway
        self._keys = keys
        self._seen = seen
        """Told of every claim that had not been known."""
        self._wishes = Wishes()
        self._losses = 0
        self._turn = asyncio.Lock()
        """One after the other: each builds on what the one before has read."""

    async def snapshot(self, bots: Collection[BotId] | None) -> Snapshot:
        """These bots, or all."""
        async with self._turn:
            return await self._read(bots if bots is None else list(bots))

    async def _read(self, bots: list[BotId] | None) -> Snapshot:
        while True:
            self._forget_what_was_lost()
            is_few = bots is not None and len(bots) <= FEW
            if not is_few and not self.claims.revision:
                await self._read_all_claims()
            answer = await self._gateway.call("kv/txn", txn([], self._ranges(bots if is_few else None)))
            revision = int(answer["header"]["revision"])
            alive, sessions, wishes, *claims = [
                response["response_range"] for response in answer["responses"]
            ]
            self._wishes.read(kept(wishes), revision)
            self._seen(self.claims.read(key for claim in claims for key in kept(claim)))
            if bots is not None and is_few:
                self.claims.missing(
                    [bot_id for bot_id, claim in zip(bots, claims, strict=True) if "kvs" not in claim],
                    revision,
                )
                break
            if int(claims[0].get("count", 0)) == len(self.claims):
                self.claims.read_all(revision)
                break
            self.claims = Claims()
        return await self._snapshot(
            bots, known=known_of(kept(sessions)), alive={_name(key) for key in kept(alive)}
        )

    async def sessions(self) -> tuple[dict[SessionId, Known], set[SessionId]]:
        """All that are known, and those that live."""
        ranges = [get_all(self._keys.all_alive, keys_only=True), get_all(self._keys.all_sessions)]
        answer = await self._gateway.call("kv/txn", txn([], ranges))
        alive, sessions = [response["response_range"] for response in answer["responses"]]
        return known_of(kept(sessions)), {_name(key) for key in kept(alive)}

    def _ranges(self, few: Collection[BotId] | None) -> list[Any]:
        claims = (
            [get_all(self._keys.all_claims, after=self.claims.revision)]
            if few is None
            else [get(self._keys.claim(bot_id)) for bot_id in few]
        )
        return [
            get_all(self._keys.all_alive, keys_only=True),
            get_all(self._keys.all_sessions),
            get_all(self._keys.all_wishes, after=self._wishes.revision),
            *claims,
        ]

    async def _read_all_claims(self) -> None:
        request = {**get_all(self._keys.all_claims)["request_range"], "limit": str(PAGE)}
        page: dict[str, Any] = {"more": True}
        first = 0
        while page.get("more"):
            page = await self._gateway.call("kv/range", request)
            first = first or int(page["header"]["revision"])
            keys = kept(page)
            self._seen(self.claims.read(keys))
            if keys:
                request["key"] = coded(keys[-1].key + "\0")
        self.claims.read_all(first)

    async def _snapshot(
        self, bots: Collection[BotId] | None, *, known: dict[SessionId, Known], alive: set[SessionId]
    ) -> Snapshot:
        wishes = self._wishes.of(bots, alive)
        claims = self.claims.of(bots)
        for bot_id in wishes.keys() - claims.keys():
            claims[bot_id] = Claim(bot_id=bot_id)
        if bots is None:
            wishes = {bot_id: wishes.get(bot_id, []) for bot_id in claims}
            named = set(known)
        else:
            named = {name for claim in claims.values() for name in (claim.holder, claim.heir) if name}
            named |= {wish.session for standing in wishes.values() for wish in standing}
        reports = await self._reports(named & alive) if bots is None else {}
        sessions = {
            name: self._record(name, known[name], is_alive=name in alive, report=reports.get(name, b""))
            for name in named & known.keys()
        }
        return Snapshot(claims=claims, wishes=wishes, sessions=sessions)

    async def _reports(self, alive: Collection[SessionId]) -> dict[SessionId, bytes]:
        """One by one: each may be large."""

        async def report(session: SessionId) -> bytes:
            answer = await self._gateway.call("kv/range", get(self._keys.report(session))["request_range"])
            return b"".join(zlib.decompress(key.value) for key in kept(answer))

        names = list(alive)
        return dict(zip(names, await asyncio.gather(*map(report, names)), strict=True))

    def _record(self, name: SessionId, known: Known, *, is_alive: bool, report: bytes) -> SessionRecord:
        silent = Liveness.OVER if known.is_over else Liveness.SILENT
        return SessionRecord(
            id=name,
            identity=Identity(**known.record["identity"]),
            liveness=Liveness.ALIVE if is_alive else silent,
            lease=known.record["lease"],
            report=report,
            silence=max(0.0, self._gateway.now - known.beaten_at - _CLOCK_STEP),
        )

    def _forget_what_was_lost(self) -> None:
        if self._losses != self._gateway.losses:
            self._losses = self._gateway.losses
            self.claims, self._wishes = Claims(), Wishes()


def known_of(keys: Iterable[Kept]) -> dict[SessionId, Known]:
    """The sessions in these keys."""
    found: dict[SessionId, Known] = {}
    for key in keys:
        *_, name, what = key.key.split("/")
        known = found.setdefault(SessionId(name), Known())
        match what:
            case "record":
                known.record = json.loads(key.value)
            case "beat":
                known.beaten_at = float(key.value)
            case "over":
                known.is_over = True
    return {name: known for name, known in found.items() if known.record}


def _name(key: Kept) -> SessionId:
    return SessionId(key.key.rpartition("/")[2])
