"""A look at a store from outside any bot: what `status` and `handover` are made of."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from onepoller.coordination.identity import BotId
from onepoller.coordination.report import BotReport, Clients, clients_of, unpack
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.choice import Chosen, choose
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class BotView:
    """One bot as the store shows it."""

    claim: Claim
    holder: SessionRecord | None
    report: BotReport | None
    """What the holder said of this bot with its last beat."""
    standbys: list[tuple[Wish, SessionRecord]] = field(default_factory=list)


def chosen_store(store: str | None, state_dir: Path | None) -> Chosen:
    """The store that a bot with this environment would use."""
    return choose(
        store or os.environ.get("ONEPOLLER_STORE") or None,
        state_dir=state_dir or os.environ.get("ONEPOLLER_STATE_DIR") or None,
        lease=Settings.parse({"lease": os.environ.get("ONEPOLLER_LEASE") or None}).lease,
    )


def read_store(chosen: Chosen, bots: list[int]) -> Snapshot:
    """Read claims, wishes and sessions; changes nothing."""
    return asyncio.run(chosen.make().read({BotId(b) for b in bots} or None))


def views(snapshot: Snapshot) -> list[BotView]:
    """Bot by bot, in order of their ids; bots that nobody holds or wants are left out."""
    reports = {
        session_id: {row.bot_id: row for row in unpack(record.report)}
        for session_id, record in snapshot.sessions.items()
    }
    found = []
    for bot_id in sorted(set(snapshot.claims) | set(snapshot.wishes)):
        claim = snapshot.claims.get(bot_id) or Claim(bot_id=bot_id)
        holder = snapshot.sessions.get(claim.holder) if claim.holder else None
        wishes = [
            (w, snapshot.sessions[w.session])
            for w in snapshot.wishes.get(bot_id, ())
            if w.session in snapshot.sessions
        ]
        report = reports.get(claim.holder, {}).get(bot_id) if claim.holder else None
        found.append(BotView(claim=claim, holder=holder, report=report, standbys=wishes))
    return found


def proxies_of(snapshot: Snapshot) -> list[tuple[SessionRecord, Clients]]:
    """The proxies that live, with what each said of its clients with its last beat; the oldest first."""
    alive = [record for record in snapshot.sessions.values() if record.liveness is Liveness.ALIVE]
    alive.sort(key=lambda record: record.identity.started_at)
    found = ((record, clients_of(record.report)) for record in alive)
    return [(record, clients) for record, clients in found if clients is not None]
