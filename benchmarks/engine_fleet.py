"""Many bots on a server's store: how fast they are claimed and taken over, and what a quiet minute costs.

Claims are taken by the store alone, all in one swap. The rest is processes (`fleet_bots.py`): a holder and a
standby on each server, once with one bot and once with many. What the servers do while nothing happens is
counted by themselves, all of them at the same time; then the holders are killed, one after another.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine_meters import METERS
from engine_servers import PLACES, Missing, Servers
from judging import Bar, Rows, number
from programs import Program
from scale import Scale

from onepoller.coordination.identity import BotId, own_identity
from onepoller.coordination.stores.choice import choose
from onepoller.coordination.stores.seam import Batch, Claim, Swap

LEASE = 5.0
KINDS = {"holder": "polling", "standby": "standing_by"}
"""The two processes of a fleet, and what each says when it has come so far."""
SETTLE = 3.0
"""Seconds between a start and the first look at who does nothing."""
FEWER = {"Kubernetes (fake)": 10}
"""A Lease for each claim is a request for each claim: so many times fewer bots there."""
CLAIMS_LIMIT = {"Redis": 300, "PostgreSQL": 300, "etcd": 1000}
"""Milliseconds for 10,000."""


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-bench-")))
        servers = stack.enter_context(Servers(folder))
        measured: dict[str, Any] = {}
        for how in PLACES:
            try:
                url = servers.place(how).url
            except Missing as missing:
                measured[how] = {"missing": str(missing)}
                continue
            bots = scale.engine_fleet // FEWER.get(how, 1)
            claims = [_claims_ms(f"{url}prefix=claims{turn}", bots) for turn in range(scale.engine_claims)]
            measured[how] = {"bots": bots, "claims_ms": claims, "a_minute": {}}
        here = [how for how in PLACES if "missing" not in measured[how]]
        for size in ("one", "many"):
            bots_of = {how: measured[how]["bots"] if size == "many" else 1 for how in here}
            with ExitStack() as programs:
                pairs = {
                    how: [
                        _program(how, who, servers, folder, stack=programs, bots=bots_of[how], seed=seed)
                        for who in KINDS
                    ]
                    for how in here
                }
                for how, count in _a_minute(here, servers, scale.engine_idle).items():
                    measured[how]["a_minute"][size] = count
                for how in here if size == "many" else ():
                    measured[how] |= _taken_over(*pairs[how])
    return measured


def _claims_ms(url: str, bots: int) -> float:
    async def take() -> float:
        store = choose(url, state_dir=None, lease=LEASE).make()
        session = await store.open(own_identity(label="", priority=0))
        swaps = [Swap(claim=Claim(bot_id=BotId(1 + place), holder=session.id)) for place in range(bots)]
        started = time.monotonic()
        swapped = await store.swap(session, Batch(swaps=swaps))
        seconds = time.monotonic() - started
        if len(swapped.written) != bots:
            raise RuntimeError(f"{len(swapped.written)} of {bots} claims were taken")
        await store.close(session)
        return round(seconds * 1e3, 1)

    return asyncio.run(take())


def _program(
    how: str, who: str, servers: Servers, folder: Path, *, stack: ExitStack, bots: int, seed: int
) -> Program:
    """Start one on a host of its own; returns when it polls, or stands by."""
    host = folder / f"{how}-{bots}-{who}"
    host.mkdir(mode=0o700)
    program = Program(
        "fleet_bots.py",
        *("--store", f"{servers.place(how).url}prefix=fleet{bots}", "--lease", str(LEASE)),
        *("--directory", str(host), "--bots", str(bots), "--seed", str(seed)),
    )
    stack.enter_context(program)
    program.hear(KINDS[who])
    return program


def _a_minute(here: list[str], servers: Servers, seconds: float) -> dict[str, float]:
    with ExitStack() as stack:
        meters = {how: stack.enter_context(METERS[how](servers.place(how), servers)) for how in here}
        time.sleep(SETTLE)
        before = {how: (meter(), time.monotonic()) for how, meter in meters.items()}
        time.sleep(seconds)
        after = {how: (meter(), time.monotonic()) for how, meter in meters.items()}
    return {
        how: round(60 * (after[how][0] - before[how][0]) / (after[how][1] - before[how][1]), 1)
        for how in here
    }


def _taken_over(holder: Program, standby: Program) -> dict[str, float]:
    killed = time.monotonic()
    holder.kill()
    taken = standby.hear("polling")
    standby.end()
    return {
        "claims_taken_ms": round((taken["last_claim"] - killed) * 1e3, 1),
        "takeover_ms": round((taken["last_poll"] - killed) * 1e3, 1),
    }


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised, on the servers that are installed here."""
    found: list[Bar] = []
    for how, of in measured.items():
        if "missing" in of:
            continue
        many = number(of["bots"])
        one, all_of_them = of["a_minute"]["one"], of["a_minute"]["many"]
        if how in CLAIMS_LIMIT:
            found += [
                Bar(
                    name=f"{how}: {many} claims taken",
                    limit=CLAIMS_LIMIT[how],
                    measured=statistics.median(of["claims_ms"]),
                    unit="ms",
                ),
                Bar(
                    name=f"{how}: {many} claims taken over after SIGKILL, lease {LEASE:g} s",
                    limit=(LEASE + 1) * 1e3,
                    measured=of["claims_taken_ms"],
                    unit="ms",
                ),
            ]
        found.append(
            Bar(
                name=f"{how}: commands a minute, {many} bots beside one",
                limit=10,
                measured=abs(all_of_them / one - 1) * 100,
                unit="% apart",
            )
        )
    return found


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [
        (
            f"many bots on a server (lease {LEASE:g} s)",
            *("bots", "claimed, ms", "after SIGKILL: all claimed, ms", "all polling, ms"),
            *("commands a minute, 1 bot", "all of them"),
        )
    ]
    for how, of in measured.items():
        if "missing" in of:
            rows.append((how, of["missing"], *[""] * 5))
            continue
        figures = (
            *(of["bots"], statistics.median(of["claims_ms"]), of["claims_taken_ms"], of["takeover_ms"]),
            *(of["a_minute"]["one"], of["a_minute"]["many"]),
        )
        rows.append((how, *map(number, figures)))
    return rows
