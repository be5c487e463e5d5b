"""What `onepoller proxy` costs: beside the direct connection, beside nginx, and with many polls open.

Clients, proxies and the server that answers are processes of their own. Latency and throughput are taken in
turn over the same requests, direct, through nginx and through the proxy; what is told as added is the median
of the differences between neighbours. nginx is one process, as the proxy is; where it is not installed its
rows say so. The clients and the server are Python too, so on two processors they, not nginx, may be what its
throughput ends at: what a request costs the process in between is told beside it.
"""

from __future__ import annotations

import http.client
import json
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import proxy_profile
from fleet_bots import FIRST_BOT as FIRST_STANDBY
from judging import Bar, Rows, number
from programs import PATIENCE, Program, Silent
from proxy_servers import Between, Nginx, Proxy, nginx_program
from scale import Scale

METHODS = ("sendMessage", "getUpdates")
CLIENTS = (1, 64, 512)
PROFILED = 64
STREAMED = 200 << 20
PARKED, STANDBY = 8_000, 15_000
"""Of the bars."""
QUIET = 1.5
"""A proxy is idle once it has done nothing for so long, seconds: a second after many bots have come onepoller
has Python's collector look at all of them, once."""
SHOWN = 7
"""Places of a profile in the table; the functions are in the results file."""
FIRST_PARKED = 7_000_001
ADDED_LIMIT = 1.0
"""Milliseconds."""
MEMORY_LIMIT = 400.0
"""MB."""
CPU_LIMIT = 5.0
"""Percent of a processor."""


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in milliseconds, of the processor in microseconds."""
    with tempfile.TemporaryDirectory(prefix="onepoller-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        upstream = stack.enter_context(Program("canned.py"))
        load = stack.enter_context(Program("proxy_load.py"))
        port = upstream.hear("port")
        with Proxy(f"http://127.0.0.1:{port}", folder / "state") as proxy:
            streamed = _streamed(proxy, load)
            traffic = _traffic(scale, folder, port, proxy, load)
        return {
            "has_nginx": nginx_program() is not None,
            "traffic": traffic,
            "streamed": streamed,
            "profile": {method: _profile(method, scale, folder, port, load) for method in METHODS},
            "open": {
                "parked": _open(scale, folder / "parked", port, load, parked=scale.proxy_parked, seed=seed),
                "standby": _open(scale, folder / "standby", port, load, parked=0, seed=seed),
            },
        }


def _traffic(scale: Scale, folder: Path, upstream: int, proxy: Proxy, load: Program) -> dict[str, Any]:
    with ExitStack() as stack:
        sides: dict[str, Between | None] = {"direct": None}
        program = nginx_program()
        if program is not None:
            sides["nginx"] = stack.enter_context(Nginx(program, upstream, folder))
        sides["onepoller"] = proxy
        return {
            method: {
                str(clients): _in_turn(scale, sides, upstream, f"{method} {clients}", load)
                for clients in CLIENTS
            }
            for method in METHODS
        }


def _in_turn(
    scale: Scale, sides: Mapping[str, Between | None], upstream: int, what: str, load: Program
) -> dict[str, Any]:
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(scale.proxy_rounds):
        for side, between in sides.items():
            busy = between.cpu_seconds if between else 0.0
            load.tell(f"load {between.port if between else upstream} {what} {scale.proxy_seconds}")
            one = load.hear("load")
            if one["failed"]:
                raise Silent(f"{one['failed']} of {one['calls']} requests failed: {side}, {what}")
            busy = between.cpu_seconds - busy if between else 0.0
            found[side].append(one | {"cpu_us": busy * 1e6 / one["calls"]})
    return {side: _of_rounds(rounds, found["direct"]) for side, rounds in found.items()}


def _of_rounds(rounds: list[dict[str, float]], direct: list[dict[str, float]]) -> dict[str, float]:
    """The medians of all rounds, and of what was added to the direct connection in each."""
    told = {
        name: statistics.median(one[name] for one in rounds)
        for name in ("per_second", "p50_ms", "p99_ms", "cpu_us")
    }
    for name in ("p50_ms", "p99_ms"):
        differences = [one[name] - bare[name] for one, bare in zip(rounds, direct, strict=True)]
        told[f"added_{name}"] = statistics.median(differences)
    return {name: round(value, 3) for name, value in told.items()}


def _streamed(proxy: Proxy, load: Program) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for way in ("upload", "download"):
        proxy.forget_peak()
        before = proxy.memory_kb()
        load.tell(f"{way} {proxy.port} {STREAMED}")
        seconds = load.hear("streamed", timeout=2 * PATIENCE)["seconds"]
        found[way] = {
            "before_kb": before,
            "peak_kb": proxy.memory_kb("VmHWM"),
            "mb_per_second": round(STREAMED / 1e6 / seconds, 1),
        }
    return found


def _profile(method: str, scale: Scale, folder: Path, upstream: int, load: Program) -> dict[str, Any]:
    file = folder / f"{method}.profile"
    with Proxy(f"http://127.0.0.1:{upstream}", folder / "profiled", profile=file) as proxy:
        proxy.process.send_signal(signal.SIGUSR1)
        load.tell(f"load {proxy.port} {method} {PROFILED} {2 * scale.proxy_seconds}")
        load.hear("load")
        proxy.stop()
    return proxy_profile.read(file)


def _open(
    scale: Scale, folder: Path, upstream: int, load: Program, *, parked: int, seed: int
) -> dict[str, Any]:
    """Polls of so many bots open upstream, then as many in standby as fit: another process has their bots."""
    with Proxy(f"http://127.0.0.1:{upstream}/park", folder) as proxy, ExitStack() as stack:
        standby = min(scale.proxy_standby, proxy.room - parked)
        told: dict[str, Any] = {"room": proxy.room, "empty_kb": proxy.memory_kb()}
        holder = stack.enter_context(
            Program("fleet_bots.py", "--directory", str(folder), "--bots", str(standby), "--seed", str(seed))
        )
        holder.hear("polling")
        if parked:
            load.tell(f"park {proxy.port} {FIRST_PARKED} {parked}")
            load.hear("parked")
            _wait_parked(upstream, parked)
            told["parked"] = {"polls": parked, **_idle(proxy, scale)}
        load.tell(f"park {proxy.port} {FIRST_STANDBY} {standby}")
        load.hear("parked")
        told["standby"] = {"polls": standby, **_idle(proxy, scale)}
        if (there := _parked(upstream)) != parked:
            raise Silent(f"{there} polls stayed open instead of {parked}")
        load.tell("leave")
        if answered := load.hear("answered"):
            raise Silent(f"{answered} polls were answered before the look at them was over")
    _wait_parked(upstream, 0)
    return told


def _idle(proxy: Proxy, scale: Scale) -> dict[str, float]:
    """What it costs while nothing happens, once what opened the polls has died down."""
    now = time.monotonic()
    end, busy_until = now + PATIENCE, now
    while now < min(busy_until + QUIET, end):
        busy = proxy.cpu_seconds
        time.sleep(0.5)
        now = time.monotonic()
        if proxy.cpu_seconds - busy >= 0.1:
            busy_until = now
    started, busy = time.monotonic(), proxy.cpu_seconds
    time.sleep(scale.proxy_idle)
    share = (proxy.cpu_seconds - busy) / (time.monotonic() - started)
    return {"resident_kb": proxy.memory_kb(), "cpu_percent": round(100 * share, 2)}


def _wait_parked(upstream: int, polls: int) -> None:
    end = time.monotonic() + PATIENCE
    while (there := _parked(upstream)) != polls:
        if time.monotonic() > end:
            raise Silent(f"{there} polls are open upstream instead of {polls}")
        time.sleep(0.1)


def _parked(upstream: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=PATIENCE)
    connection.request("GET", "/parked")
    there: int = json.load(connection.getresponse())["result"]
    connection.close()
    return there


def each_kb(measured: Mapping[str, Any]) -> dict[str, float]:
    """What one open poll costs in memory: parked upstream, and in standby."""
    parked, standby = measured["open"]["parked"], measured["open"]["standby"]
    return {
        "empty": parked["empty_kb"],
        "parked": (parked["parked"]["resident_kb"] - parked["empty_kb"]) / parked["parked"]["polls"],
        "standby": (standby["standby"]["resident_kb"] - standby["empty_kb"]) / standby["standby"]["polls"],
    }


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised. Where not all polls fit, their memory is computed from those that do, and says so."""
    opened, each = measured["open"]["parked"], each_kb(measured)
    parked, standby = opened["parked"]["polls"], opened["standby"]["polls"]
    alone = measured["open"]["standby"]["standby"]["polls"]
    fits = parked >= PARKED and standby >= STANDBY
    computed = each["empty"] + PARKED * each["parked"] + STANDBY * each["standby"]
    return [
        *(
            Bar(
                name=f"added by the proxy, one client, p50: {method}",
                limit=ADDED_LIMIT,
                measured=measured["traffic"][method]["1"]["onepoller"]["added_p50_ms"],
                unit="ms",
            )
            for method in METHODS
        ),
        Bar(
            name=f"proxy, {number(parked)} polls parked: resident",
            limit=MEMORY_LIMIT,
            measured=_megabytes(opened["parked"]["resident_kb"]),
            unit="MB",
        ),
        Bar(
            name=f"proxy, {number(PARKED)} polls parked, {number(STANDBY)} in standby: resident"
            + ("" if fits else f", computed from {number(parked)} and {number(alone)}"),
            limit=MEMORY_LIMIT,
            measured=_megabytes(opened["standby"]["resident_kb"] if fits else computed),
            unit="MB",
        ),
        Bar(
            name=f"proxy, {number(parked)} polls parked, {number(standby)} in standby: of one processor",
            limit=CPU_LIMIT,
            measured=opened["standby"]["cpu_percent"],
            unit="%",
        ),
    ]


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [("proxy, clients", *map(str, CLIENTS))]
    for method in METHODS:
        rows += _traffic_rows(method, measured["traffic"][method])
    for way, of in measured["streamed"].items():
        figures = f"{number(_megabytes(of['before_kb']))}, then {number(_megabytes(of['peak_kb']))}"
        rows.append((f"{way} of 200 MB: resident before and at most, MB", figures, "", ""))
    for which, of in measured["open"].items():
        for kind in ("parked", "standby"):
            if kind in of:
                rows += _open_rows(of, kind, has_parked=which == "parked")
    for kind in ("parked", "standby"):
        rows.append((f"a poll {_WHERE[kind]}, KiB", number(each_kb(measured)[kind]), "", ""))
    for method, of in measured["profile"].items():
        rows += [
            (f"{method}, % of the proxy's time: {place}", "", number(percent), "")
            for place, percent in list(of["percent"].items())[:SHOWN]
        ]
    return rows


_WHERE = {"parked": "parked", "standby": "in standby"}


def _traffic_rows(method: str, of: Mapping[str, Any]) -> Rows:
    def row(what: str, side: str, name: str) -> tuple[str, ...]:
        if side not in of["1"]:
            return (f"{method}, {what}: {side}", *("not installed" for _ in CLIENTS))
        return (f"{method}, {what}: {side}", *(number(of[str(n)][side][name]) for n in CLIENTS))

    rows = [row("requests a second", side, "per_second") for side in ("direct", "nginx", "onepoller")]
    if "nginx" in of["1"]:
        ratios = [of[str(n)]["onepoller"]["per_second"] / of[str(n)]["nginx"]["per_second"] for n in CLIENTS]
        rows.append((f"{method}, onepoller's share of nginx's", *map(number, ratios)))
    rows += [row(f"{p}, ms", "direct", f"{p}_ms") for p in ("p50", "p99")]
    for side in ("nginx", "onepoller"):
        rows += [row(f"added {p}, ms", side, f"added_{p}_ms") for p in ("p50", "p99")]
        rows.append(row("CPU of one request, microseconds", side, "cpu_us"))
    return rows


def _open_rows(of: Mapping[str, Any], kind: str, *, has_parked: bool) -> Rows:
    polls = [
        f"{number(of[one]['polls'])} {_WHERE[one]}"
        for one in (
            ("parked",) if kind == "parked" else ("parked", "standby") if has_parked else ("standby",)
        )
    ]
    name = f"polls: {', '.join(polls)} (room for {number(of['room'])})"
    return [
        (f"{name}: resident, MB", number(_megabytes(of[kind]["resident_kb"])), "", ""),
        (f"{name}: idle CPU, %", number(of[kind]["cpu_percent"]), "", ""),
    ]


def _megabytes(kb: float) -> float:
    return round(kb * 1024 / 1e6, 1)
