"""`onepoller status`: who polls, who stands by, what is wrong. A pure read."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from onepoller.cli.reading import BotView, chosen_store, proxies_of, read_store, views
from onepoller.coordination.events import Certainty
from onepoller.coordination.identity import short_term
from onepoller.coordination.report import Clients
from onepoller.coordination.stores.seam import Liveness, SessionRecord

LATE = 0.6
"""Share of the lease: two of its three beats have not come."""


def show(bots: list[int], *, store: str | None, state_dir: Path | None, as_json: bool) -> None:
    """Print the status as a table or as JSON."""
    chosen = chosen_store(store, state_dir)
    snapshot = read_store(chosen, bots)
    found = views(snapshot)
    proxies = proxies_of(snapshot)
    if as_json:
        print(
            json.dumps(
                {
                    "store": chosen.name,
                    "note": chosen.note,
                    "trouble": snapshot.trouble,
                    "bots": [_as_data(v) for v in found],
                    "proxies": [_proxy_data(record, clients) for record, clients in proxies],
                }
            )
        )
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"store {chosen.name}", markup=False)
    for sentence in (chosen.note, snapshot.trouble):
        if sentence:
            console.print(f"! {sentence}", markup=False)
    if found:
        console.print(_table(found))
    else:
        console.print("No bot is polled or waited for here.", markup=False)
    for record, clients in proxies:
        console.print(f"proxy {_who(record)}: {clients.here} of {clients.most} clients", markup=False)


def _table(found: list[BotView]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("bot", "holder", "since", "term", "last poll", "standbys", "state"):
        table.add_column(heading, overflow="fold")
    now = time.time()
    for view in found:
        table.add_row(
            str(view.claim.bot_id),
            _who(view.holder) if view.holder else "nobody",
            _clock(view.claim.since) if view.holder else "",
            str(short_term(view.claim.term)),
            _ago(now, view.report.last_poll) if view.report and view.report.last_poll else "-",
            ", ".join(_who(record) for _, record in view.standbys) or "-",
            _state(view),
        )
    return table


def _state(view: BotView) -> str:
    if view.holder is None:
        return "free" if not view.standbys else "being taken"
    if view.holder.liveness is not Liveness.ALIVE:
        return f"holder is {view.holder.liveness}"
    role = view.report.role.label if view.report else "polling"
    if _certainty(view) is not Certainty.HELD:
        role = f"{role}, silent for {view.holder.silence:.0f} s, so its claim is {_certainty(view)}"
    episode = view.claim.episode
    if episode is None:
        return role
    detail = f" ({episode.detail})" if episode.detail else ""
    return f"{role}, {episode.kind}{detail} since {_clock(episode.since)}"


def _certainty(view: BotView) -> Certainty | None:
    """How sure the holder can be of its claim, seen from here: by its last beat."""
    holder = view.holder
    if holder is None:
        return None
    silence = holder.silence if holder.silence < math.inf else 0.0  # the store cannot say
    if holder.liveness is not Liveness.ALIVE or silence >= holder.lease:
        return Certainty.LOST
    return Certainty.UNCERTAIN if silence > LATE * holder.lease else Certainty.HELD


def _who(record: SessionRecord) -> str:
    return record.identity.who


def _clock(wall: float) -> str:
    then, now = datetime.fromtimestamp(wall).astimezone(), datetime.now().astimezone()
    return then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M")


def _ago(now: float, wall: float) -> str:
    return f"{max(0.0, now - wall):.0f} s ago"


def _as_data(view: BotView) -> dict[str, Any]:
    claim = view.claim
    return {
        "bot_id": claim.bot_id,
        "holder": _session_data(view.holder) if view.holder else None,
        "term": claim.term,
        "since": claim.since or None,
        "state": _state(view),
        "claim": _certainty(view),
        "role": view.report.role.label if view.report else None,
        "last_poll": (view.report.last_poll or None) if view.report else None,
        "conflicts": view.report.conflicts if view.report else None,
        "episode": (
            {"kind": str(claim.episode.kind), "since": claim.episode.since, "detail": claim.episode.detail}
            if claim.episode
            else None
        ),
        "standbys": [_session_data(record) | {"priority": wish.priority} for wish, record in view.standbys],
    }


def _proxy_data(record: SessionRecord, clients: Clients) -> dict[str, Any]:
    return _session_data(record) | {"clients": clients.here, "most_clients": clients.most}


def _session_data(record: SessionRecord) -> dict[str, Any]:
    identity = record.identity
    return {
        "session": record.id,
        "host": identity.host,
        "pid": identity.pid,
        "label": identity.label,
        "started_at": identity.started_at,
        "liveness": str(record.liveness),
    }
