"""How long a bot on a server's store is without a poller: handed over, its holder killed, its holder frozen.

Every contender is the same bot (`engine_bot.py`): onepoller on each store, beside the locks that people put
on the same servers. Its two processes have directories of their own, as on two hosts, so that nothing but the
server can tell who is dead; only the file store has one directory. The moment of a poll is its arrival at the
fake Bot API. Those who are told of a death take turns first, alone: the heartbeats of the others would be in
the way of milliseconds. Then the others do. All read CLOCK_MONOTONIC.
"""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from engine_locks import LOCKS, ON
from engine_pair import Pair
from engine_servers import PLACES, Missing, Servers
from handover import gaps_ms
from judging import Bar, Rows, number, spread
from programs import SECRET, Program
from scale import Scale
from takeover import RESIDENT_MB

from onepoller.coordination.stores.etcd import SHORTEST_LEASE
from onepoller.testing import Control, spawn
from onepoller.testing.botapi import conflicts

LEASE = 2.0
"""Seconds."""
FILE = "file"
ONE_HOST = "Redis, one host"
"""The same with one directory: the kernel tells who is dead."""
CONTENDERS = (FILE, *PLACES, ONE_HOST, *LOCKS)
TOLD = (FILE, "PostgreSQL", ONE_HOST, "pg_advisory_lock")
"""To whom the kernel or the server tells a death at once."""
LEASES = dict.fromkeys(CONTENDERS, LEASE) | {"etcd": SHORTEST_LEASE}
BOTS = {how: 4_400_001 + place for place, how in enumerate(CONTENDERS)}
PHASE = (0.03, 0.13)
"""Seconds between two contenders: what one of them does is over by then, or only waits."""
TOO_LONG = 2.0
"""Who has not followed a frozen holder so long after its lease will not, seconds."""
CLIENT_GO = {"handover": (1600.0, 4000.0), "killed": (17300.0, 21100.0), "frozen": (17300.0, 21100.0)}
"""p50 and p99 in ms, by its documented rules and defaults (a lease of 15 s, a look each 2 to 4.4 s)."""
JUDGED = ("Redis", "PostgreSQL", "etcd")


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds; None: nobody followed in time."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-bench-")))
        servers = stack.enter_context(Servers(folder))
        control = stack.enter_context(spawn())
        names = itertools.count()
        measured: dict[str, Any] = {}
        starts: dict[str, Callable[[], Program]] = {}
        for how in CONTENDERS:
            try:
                store = _store(how, servers, folder)
            except Missing as missing:
                measured[how] = {"missing": str(missing)}
            else:
                starts[how] = partial(_bot, how, store, names, control, folder)
        for is_told in (True, False):
            group = {how: start for how, start in starts.items() if (how in TOLD) is is_told}
            measured |= _turns(group, scale, control, chance)
    return {how: measured[how] for how in CONTENDERS}


def _turns(
    starts: Mapping[str, Callable[[], Program]], scale: Scale, control: Control, chance: random.Random
) -> dict[str, dict[str, Any]]:
    """What is measured of those who take turns."""
    with ExitStack() as stack:
        pairs = {how: Pair(start) for how, start in starts.items()}
        for pair in pairs.values():
            stack.callback(pair.end)
        for step in (Pair.await_holder, Pair.await_standby):
            for pair in pairs.values():
                step(pair)
        measured = _handovers(pairs, scale.engine_handovers, control, chance)
        for what, fall, times in zip(
            ("killed_ms", "frozen_ms"), (Program.kill, Program.freeze), scale.engine_falls, strict=True
        ):
            for how, samples in _falls(pairs, fall, times, control, chance).items():
                measured[how][what] = samples
    return measured


def _store(how: str, servers: Servers, folder: Path) -> str:
    if how == FILE:
        return f"file://{folder / 'shared'}"
    if how in LOCKS:
        return servers.place(ON[how]).control
    if how == ONE_HOST:
        return f"{servers.place('Redis').url}prefix=one-host"
    return f"{servers.place(how).url}prefix=bench"


def _bot(how: str, store: str, names: itertools.count[int], control: Control, folder: Path) -> Program:
    name = f"{how}-{next(names)}".replace(" ", "-")
    (folder / "shared").mkdir(mode=0o700, exist_ok=True)
    host = folder / (how if how == ONE_HOST else name)
    host.mkdir(mode=0o700, exist_ok=True)
    return Program(
        "engine_bot.py",
        *("--how", how if how in LOCKS else "onepoller", "--store", store, "--lease", str(LEASES[how])),
        *("--directory", str(host), "--url", control.url, "--name", name, "--resident", str(RESIDENT_MB)),
        environment={"BENCHMARK_TOKEN": f"{BOTS[how]}:{SECRET}"},
    )


def _handovers(
    pairs: Mapping[str, Pair], times: int, control: Control, chance: random.Random
) -> dict[str, dict[str, Any]]:
    claims: dict[str, list[float]] = {how: [] for how in pairs}
    repeated = dict.fromkeys(pairs, 0)
    for _ in range(times):
        for how in chance.sample(list(pairs), len(pairs)):
            time.sleep(chance.uniform(*PHASE))
            seconds, orders = pairs[how].hand_over()
            claims[how].append(_milliseconds(seconds))
            repeated[how] += orders > 1
        for pair in pairs.values():
            pair.await_standby()
    rows = {how: control.rows(BOTS[how]) for how in pairs}
    return {
        how: {
            "handover_ms": gaps_ms(rows[how]),
            "order_to_claim_ms": claims[how],
            "repeated": repeated[how],
            "conflicts": len(conflicts(rows[how])),
        }
        for how in pairs
    }


def _falls(
    pairs: Mapping[str, Pair],
    fall: Callable[[Program], None],
    times: int,
    control: Control,
    chance: random.Random,
) -> dict[str, list[float | None]]:
    """From each fall to the next poll. Who did not follow in time once is not asked again."""
    samples: dict[str, list[float | None]] = {how: [] for how in pairs}
    for _ in range(times):
        playing = [how for how in pairs if None not in samples[how]]
        time.sleep(chance.uniform(0.0, LEASE / 3))  # at any moment between two beats
        for how in chance.sample(playing, len(playing)):
            time.sleep(chance.uniform(*PHASE))
            pairs[how].fell(fall)
        for how in playing:
            pair = pairs[how]
            left = pair.fell_at + LEASES[how] + TOO_LONG - time.monotonic()
            late = pair.follow(within=max(0.0, left)) is None
            samples[how].append(None if late else _milliseconds(_first_poll(control, pair) - pair.fell_at))
        for how in playing:
            pairs[how].await_standby()
    return samples


def _first_poll(control: Control, pair: Pair) -> float:
    return control.wait_for(
        lambda row: row.is_poll and row.poller == pair.holder and row.arrived_at > pair.fell_at
    ).arrived_at


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised, on the servers that are installed here."""
    found: list[Bar] = []
    for how in JUDGED:
        of = measured[how]
        if "missing" in of:
            continue
        handover, killed = spread(of["handover_ms"]), spread(of["killed_ms"])
        is_told = how == "PostgreSQL"  # the server sees the connection end
        found += [
            Bar(name=f"{how}: handover, no poll open, p50", limit=10, measured=handover["p50"], unit="ms"),
            Bar(name=f"{how}: handover, no poll open, p99", limit=50, measured=handover["p99"], unit="ms"),
            Bar(
                name=f"{how}: SIGKILL to the next poll, p99"
                + ("" if is_told else f", lease {LEASES[how]:g} s"),
                limit=20 if is_told else LEASES[how] * 1e3 + 100,
                measured=killed["p99"],
                unit="ms",
            ),
        ]
    return found


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [
        (
            f"no poll open, ms (lease {LEASE:g} s; etcd {SHORTEST_LEASE:g} s)",
            *("handover p50", "p99", "killed p50", "p99", "frozen p50", "p99", "runs"),
        )
    ]
    for how, of in measured.items():
        if "missing" in of:
            rows.append((how, of["missing"], *[""] * 6))
            continue
        falls = (of["handover_ms"], of["killed_ms"], of["frozen_ms"])
        figures = [cell for samples in falls for cell in _cells(samples, LEASES.get(how, LEASE) + TOO_LONG)]
        again = f"; {of['repeated']} told again" if of["repeated"] else ""
        rows.append((how, *figures, ", ".join(str(len(samples)) for samples in falls) + again))
    figures = [number(value) for both in CLIENT_GO.values() for value in both]
    rows.append(("client-go's defaults, documented, not run", *figures, ""))
    return rows


def _cells(samples: Sequence[float | None], within: float) -> tuple[str, str]:
    times = [sample for sample in samples if sample is not None]
    if len(times) < len(samples):
        return f"not in {within:g} s", ""
    of = spread(times)
    return number(of["p50"]), number(of["p99"])
