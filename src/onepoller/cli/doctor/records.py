"""What the store shows of one bot, read without making a store where there is none."""

from __future__ import annotations

import socket

from onepoller.cli.doctor.evidence import Instance, StoreSeen
from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, boot_id
from onepoller.coordination.report import BotReport, unpack
from onepoller.coordination.stores.choice import Chosen
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot, Store


async def look(store: Store, chosen: Chosen, bot_id: BotId) -> StoreSeen:
    """Read once; a store that does not answer is a sentence of trouble."""
    try:
        # All bots: only so a process that has the bot open, and neither holds it nor waits, is seen.
        snapshot = await store.read()
    except StoreUnavailable as error:
        return StoreSeen(name=chosen.name, note=chosen.note, trouble=str(error))
    return seen_in(snapshot, bot_id, name=chosen.name, note=chosen.note)


def seen_in(snapshot: Snapshot, bot_id: BotId, *, name: str, note: str = "") -> StoreSeen:
    """One bot in a snapshot of everything."""
    claim = snapshot.claims.get(bot_id) or Claim(bot_id=bot_id)
    holder = snapshot.sessions.get(claim.holder) if claim.holder else None
    waiting = [wish.session for wish in snapshot.wishes.get(bot_id, ())]
    reports = {record.id: _report(record, bot_id) for record in snapshot.sessions.values()}
    instances = {record.id: _instance(record, reports[record.id]) for record in snapshot.sessions.values()}
    return StoreSeen(
        name=name,
        note=note,
        trouble=snapshot.trouble,
        holder=instances[holder.id] if holder else None,
        since=claim.since,
        episode=claim.episode,
        standbys=tuple(instances[one] for one in waiting if one in instances and instances[one].is_alive),
        silent=tuple(
            instance
            for one, instance in instances.items()
            if reports[one] and instance.is_alive and one != claim.holder and one not in waiting
        ),
    )


def _report(record: SessionRecord, bot_id: BotId) -> BotReport | None:
    return next((row for row in unpack(record.report) if row.bot_id == bot_id), None)


def _instance(record: SessionRecord, report: BotReport | None) -> Instance:
    identity = record.identity
    return Instance(
        who=identity.who,
        host=identity.host,
        pid=identity.pid,
        label=identity.label,
        is_here=_is_here(identity),
        is_alive=record.liveness is Liveness.ALIVE,
        lease=record.lease,
        role=report.role if report else None,
        last_poll=report.last_poll if report else 0.0,
    )


def _is_here(identity: Identity) -> bool:
    """One kernel, one host, whatever a container calls itself."""
    here = boot_id()
    return identity.boot_id == here if here else identity.host == socket.gethostname()
