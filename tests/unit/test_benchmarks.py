"""What the benchmarks judge by, and what they write; nothing here measures a time."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from onepoller.testing import Row

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in (ROOT / "benchmarks").glob("*.py")]
MODULES = [
    "canned",
    "claim",
    "engine_fleet",
    "engine_pair",
    "engines",
    "fleet",
    "handover",
    "headlines",
    "judging",
    "per_poll",
    "plot",
    "proxy",
    "proxy_load",
    "proxy_profile",
    "results",
    "run",
    "takeover",
]


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Give the modules of the benchmarks, which find each other by their folder, as the program does."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
        for name in NAMES:
            sys.modules.pop(name, None)


def fleet_of(claim: float, takeover: float, *, threads: int = 2, cpu: float = 0.5) -> dict[str, Any]:
    """Make up what one size of a fleet measured."""
    look = {"cpu_percent": cpu, "calls_a_second": 0.0, "threads": threads, "descriptors": 16}
    idle = {kind: look | {"resident_kb": 40_000} for kind in ("holder", "standby", "bare")}
    times = {name: [takeover] for name in ("start_ms", "claims_taken_ms", "takeover_ms")}
    return {"claim_ms": [claim], "idle": idle, **times}


def open_polls(empty_kb: int, *, standby: int, parked: int = 0) -> dict[str, Any]:
    """Make up what a proxy with many polls measured: 32 KiB each parked, 16 KiB each in standby."""
    made: dict[str, Any] = {"room": parked + standby, "empty_kb": empty_kb}
    if parked:
        made["parked"] = {"polls": parked, "resident_kb": empty_kb + 32 * parked, "cpu_percent": 0.5}
    resident = empty_kb + 32 * parked + 16 * standby
    return made | {"standby": {"polls": standby, "resident_kb": resident, "cpu_percent": 1.5}}


def proxy_of(*, parked: int, standby: int, has_nginx: bool = True) -> dict[str, Any]:
    """Make up what the proxy measured."""
    side = {"per_second": 10_000.0, "p50_ms": 0.06, "p99_ms": 0.1, "cpu_us": 40.0}
    sides = {
        "direct": side | {"added_p50_ms": 0.0, "added_p99_ms": 0.0},
        "nginx": side | {"added_p50_ms": 0.05, "added_p99_ms": 0.1},
        "onepoller": side | {"per_second": 2_000.0, "added_p50_ms": 0.4, "added_p99_ms": 1.2},
    }
    if not has_nginx:
        del sides["nginx"]
    traffic = {str(clients): sides for clients in (1, 64, 512)}
    methods = ("sendMessage", "getUpdates")
    profile = {"percent": {"asyncio": 60.0, "the rest": 40.0}, "top": []}
    stream = {"before_kb": 56_000, "peak_kb": 58_000, "mb_per_second": 300.0}
    return {
        "has_nginx": has_nginx,
        "traffic": dict.fromkeys(methods, traffic),
        "streamed": {"upload": stream, "download": stream},
        "profile": dict.fromkeys(methods, profile),
        "open": {
            "parked": open_polls(56_000, parked=parked, standby=standby),
            "standby": open_polls(56_000, standby=standby),
        },
    }


def engine_of(handover: float, killed: float) -> dict[str, Any]:
    """Make up what one contender on a server measured."""
    times = {"handover_ms": [handover], "killed_ms": [killed], "frozen_ms": [1900.0, None]}
    return times | {"order_to_claim_ms": [handover], "conflicts": 0, "repeated": 0}


def engine_fleet_of(claims: float, *, many: float = 153.0) -> dict[str, Any]:
    """Make up what a fleet on a server measured."""
    times = {"claims_ms": [claims], "claims_taken_ms": 5100.0, "takeover_ms": 5900.0}
    return times | {"bots": 10_000, "a_minute": {"one": 150.0, "many": many}}


@pytest.fixture
def measured() -> dict[str, Any]:
    """Make up what a run measured."""
    locks = {"onepoller": 3.0, "flock": 1.5, "filelock": 30.0, "portalocker": 120.0, "fasteners": 40.0}
    poll = {"bare": 500.0, "guarded": 590.0, "added": 90.0, "lower_quartile": 80.0, "upper_quartile": 99.0}
    poll["added_cpu"] = 85.0
    return {
        "claim": {how: {"claim_ms": [ms, ms], "resident_kb": 9_000} for how, ms in locks.items()},
        "takeover": {
            how: {"claim_ms": [ms], "poll_ms": [ms + 2], "resident_kb": 57_000} for how, ms in locks.items()
        },
        "handover": {"gap_ms": [4.0, 6.0], "claim_ms": [3.0, 5.0], "conflicts": 0, "overlaps": 0},
        "per_poll": {"httpx transport, empty": poll, "httpx transport, batch": poll | {"added": 140.0}},
        "fleet": {"1": fleet_of(5, 8), "10000": fleet_of(900, 280)},
        "engines": {
            "Redis": engine_of(9.0, 2050.0),
            "PostgreSQL": engine_of(12.0, 15.0),
            "etcd": {"missing": "etcd is not installed"},
        },
        "engine_fleet": {
            "Redis": engine_fleet_of(250.0),
            "PostgreSQL, pooler": engine_fleet_of(400.0, many=180.0),
            "etcd": {"missing": "etcd is not installed"},
        },
        "proxy": proxy_of(parked=8_000, standby=15_000),
    }


@pytest.fixture
def found(bench: Any, measured: dict[str, Any]) -> dict[str, Any]:
    """Make up a results file."""
    facts = {"python": "3.11.9", "system": "Linux", "kernel": "6.1", "processors": 2, "file_system": "ext4"}
    bars = [bar for name, of in measured.items() for bar in getattr(bench, name).bars(of)]
    return {
        "scale": "full",
        "seed": 1,
        "facts": facts,
        "bars": bench.results.bars_as_json(bars),
        "benchmarks": {name: {"seconds": 1.0, "load": 0.25, "measured": of} for name, of in measured.items()},
    }


@pytest.mark.parametrize(
    ("measured", "limit", "at_least", "is_met"),
    [
        pytest.param(3.0, 3.0, False, True, id="at an upper limit: met"),
        pytest.param(3.1, 3.0, False, False, id="above an upper limit: missed"),
        pytest.param(8.0, 8.0, True, True, id="at a lower limit: met"),
        pytest.param(7.9, 8.0, True, False, id="below a lower limit: missed"),
        pytest.param(float("nan"), 8.0, False, False, id="no number: missed"),
    ],
)
def test_a_bar_is_met_on_its_own_side(
    bench: Any, measured: float, limit: float, *, at_least: bool, is_met: bool
) -> None:
    """Upper limits and lower limits are told apart."""
    bar = bench.judging.Bar(name="a bar", limit=limit, measured=measured, unit="ms", at_least=at_least)

    assert bar.is_met is is_met


@pytest.mark.parametrize(
    ("percent", "sample"),
    [
        pytest.param(0, 1, id="0: the smallest"),
        pytest.param(50, 50, id="50 of 100 samples: the 50th"),
        pytest.param(99, 99, id="99 of 100 samples: the 99th"),
        pytest.param(100, 100, id="100: the largest"),
    ],
)
def test_a_percentile_is_a_sample(bench: Any, percent: float, sample: int) -> None:
    """The nearest rank, whatever the order of the samples."""
    assert bench.judging.percentile([*range(100, 0, -1)], percent) == sample


def test_what_was_added_does_not_show_a_machine_that_became_slower(bench: Any) -> None:
    """Neighbours are compared: here the machine is ten times slower in two of five pairs."""
    bare = [10.0, 110.0, 11.0, 500.0, 12.0]
    guarded = [15.0, 115.0, 16.0, 90.0, 19.0]

    assert bench.judging.added(bare, guarded)["added"] == 5.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (99.96, "100"), (1234.5, "1,234"), (10_000, "10,000")],
)
def test_a_number_is_written_with_three_digits_that_count(bench: Any, value: float, text: str) -> None:
    """Neither noise nor exponents."""
    assert bench.judging.number(value) == text


def test_the_bars_are_those_of_the_design(found: dict[str, Any]) -> None:
    """Each bar, with what is wanted and whether the made-up numbers meet it."""
    assert {bar["name"]: (bar["wanted"], bar["met"]) for bar in found["bars"]} == {
        "claim after SIGKILL, p50, beside a thread blocked in flock": ("<= 3 times as long", True),
        "claim after SIGKILL, p50, beside filelock with its defaults": (">= 8 times faster", True),
        "SIGKILL to the next poll, p50": ("<= 10 ms", True),
        "SIGKILL to the next poll, p99": ("<= 50 ms", True),
        "resident size of the bots killed for it": ("<= 60 MB", True),
        "planned handover: longest time without a poll": ("<= 20 ms", True),
        "planned handover: 409s that a client could see": ("<= 0 of them", True),
        "added per poll: httpx transport, empty": ("<= 100 microseconds", True),
        "added per poll: httpx transport, batch": ("<= 100 microseconds", False),
        "10,000 bots claimed, from the first call to the last claim": ("<= 1,000 ms", True),
        "threads of 10,000 bots more than of one": ("<= 0 of them", True),
        "descriptors of 10,000 bots more than of one": ("<= 0 of them", True),
        "10,000 bots, all calls asleep, holder: of one processor": ("<= 2 %", True),
        "10,000 bots, all calls asleep, standby: of one processor": ("<= 2 %", True),
        "10,000 bots taken over, from the SIGKILL to the last claim": ("<= 300 ms", True),
        "Redis: handover, no poll open, p50": ("<= 10 ms", True),
        "Redis: handover, no poll open, p99": ("<= 50 ms", True),
        "Redis: SIGKILL to the next poll, p99, lease 2 s": ("<= 2,100 ms", True),
        "PostgreSQL: handover, no poll open, p50": ("<= 10 ms", False),
        "PostgreSQL: handover, no poll open, p99": ("<= 50 ms", True),
        "PostgreSQL: SIGKILL to the next poll, p99": ("<= 20 ms", True),
        "Redis: 10,000 claims taken": ("<= 300 ms", True),
        "Redis: 10,000 claims taken over after SIGKILL, lease 5 s": ("<= 6,000 ms", True),
        "Redis: commands a minute, 10,000 bots beside one": ("<= 10 % apart", True),
        "PostgreSQL, pooler: commands a minute, 10,000 bots beside one": ("<= 10 % apart", False),
        "added by the proxy, one client, p50: sendMessage": ("<= 1 ms", True),
        "added by the proxy, one client, p50: getUpdates": ("<= 1 ms", True),
        "proxy, 8,000 polls parked: resident": ("<= 400 MB", True),
        "proxy, 8,000 polls parked, 15,000 in standby: resident": ("<= 400 MB", False),
        "proxy, 8,000 polls parked, 15,000 in standby: of one processor": ("<= 5 %", True),
    }


def test_a_thread_for_each_bot_would_be_seen(bench: Any, measured: dict[str, Any]) -> None:
    """Threads are compared with those of one bot."""
    fleet = measured["fleet"] | {"10000": fleet_of(900, 280, threads=10_002)}

    bars = {bar.name: bar.measured for bar in bench.fleet.bars(fleet)}

    assert bars["threads of 10,000 bots more than of one"] == 10_000


class Said:
    """A program of a benchmark that says what the test wrote down; None: nothing in time."""

    def __init__(self, bench: Any, name: str, *claimed: float | None) -> None:
        self.arguments = {"--name": name}
        self.told: list[str] = []
        self.ended = False
        self._silent = bench.engine_pair.Silent
        self._claimed = list(claimed)

    def tell(self, line: str) -> None:
        """Note it."""
        self.told.append(line)

    def hear(self, _key: str, *, timeout: float = 0.0) -> float:
        """The next thing."""
        said = self._claimed.pop(0)
        if said is None:
            raise self._silent(f"nothing in {timeout:g} s")
        return said

    def end(self) -> None:
        """Note it."""
        self.ended = True


def pair_of(bench: Any, *programs: Said) -> Any:
    """Make up a pair that starts these, and holds with the first."""
    coming = iter(programs)
    pair = bench.engine_pair.Pair(lambda: next(coming))
    pair.await_holder()
    return pair


def test_a_holder_that_took_the_bot_back_is_told_again(bench: Any) -> None:
    """What the standby said when it had been the holder is not its answer."""
    later = time.monotonic() + 100
    holder, standby = Said(bench, "one", 1.0), Said(bench, "two", 5.0, None, later)
    pair = pair_of(bench, holder, standby)

    seconds, orders = pair.hand_over()

    assert (holder.told, orders, pair.holder) == (["hand over", "hand over"], 2, "two")
    assert seconds == pytest.approx(100, abs=5)


def test_who_does_not_follow_a_frozen_holder_in_time_follows_a_dead_one(bench: Any) -> None:
    """There is no figure, and the next round has a holder and a standby."""
    holder, standby, third = Said(bench, "one", 1.0), Said(bench, "two", None, 7.0), Said(bench, "three")
    pair = pair_of(bench, holder, standby, third)
    pair.fell(lambda _: None)

    assert pair.follow(within=1.0) is None
    assert (holder.ended, pair.holder) == (True, "two")


def test_a_server_that_is_missing_is_a_row_that_says_so(bench: Any, measured: dict[str, Any]) -> None:
    """It has no figures, and the others have theirs."""
    rows = {row[0]: row[1:] for row in bench.engines.table(measured["engines"])}
    fleets = {row[0]: row[1:] for row in bench.engine_fleet.table(measured["engine_fleet"])}

    assert (rows["etcd"][0], fleets["etcd"][0]) == ("etcd is not installed", "etcd is not installed")
    assert rows["Redis"] == ("9", "9", "2,050", "2,050", "not in 4 s", "", "1, 1, 2")
    assert fleets["Redis"] == ("10,000", "250", "5,100", "5,900", "150", "153")


def test_polls_that_do_not_fit_are_computed_and_the_bar_says_so(bench: Any) -> None:
    """56,000 KiB and 8,000 times 32 KiB are measured, 15,000 times 16 KiB are the cost of those that fit."""
    measured = proxy_of(parked=8_000, standby=1_936)

    bars = {bar.name: bar.measured for bar in bench.proxy.bars(measured)}

    name = "proxy, 8,000 polls parked, 15,000 in standby: resident, computed from 8,000 and 1,936"
    assert bars[name] == round((56_000 + 8_000 * 32 + 15_000 * 16) * 1024 / 1e6, 1)


def test_the_proxy_is_measured_where_nginx_is_missing(bench: Any) -> None:
    """Its rows are there and say so."""
    rows = bench.proxy.table(proxy_of(parked=8_000, standby=1_936, has_nginx=False))

    assert ("sendMessage, requests a second: nginx", *["not installed"] * 3) in rows
    assert ("sendMessage, requests a second: onepoller", "2,000", "2,000", "2,000") in rows


def test_a_profile_is_told_by_place_without_the_wait_for_events(bench: Any) -> None:
    """A built-in counts for its callers; what is left is a hundred percent."""
    answer = ("/x/site-packages/aiohttp/web_protocol.py", 1, "start")
    ours = ("/x/adapters/proxy/server.py", 1, "_answer")
    stats = {
        answer: (1, 1, 3.0, 9.0, {}),
        ours: (1, 1, 2.0, 4.0, {}),
        ("~", 0, "<built-in method builtins.len>"): (2, 2, 1.0, 1.0, {ours: (2, 2, 1.0, 1.0)}),
        ("~", 0, "<method 'send' of '_socket.socket' objects>"): (1, 1, 4.0, 4.0, {answer: (1, 1, 4.0, 4.0)}),
        ("~", 0, "<method 'poll' of 'select.epoll' objects>"): (1, 1, 90.0, 90.0, {}),
    }

    told = bench.proxy_profile.summary(stats)

    assert told["percent"] == {
        "sending and receiving": 40.0,
        "aiohttp, server side": 30.0,
        "the proxy's own code": 30.0,
    }
    assert told["top"][1] == {"function": "aiohttp.web_protocol.start", "percent": 30.0}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"], id="in one piece"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-", b"Length: 5\r\n\r\nwh", b"ole"], id="in pieces"),
    ],
)
def test_a_client_of_the_load_sees_when_it_is_answered(bench: Any, pieces: list[bytes]) -> None:
    """Once, with the status and the length, however the bytes come."""
    answers: list[tuple[bytes, int]] = []
    caller = bench.proxy_load.Caller(lambda _caller, status, length: answers.append((status, length)))

    for piece in pieces:
        caller.data_received(piece)

    assert answers == [(b"HTTP/1.1 200", 5)]


def poll_row(seq: int, poller: str, arrived: float, closed: float | None) -> Row:
    """Make up a row of the fake's journal."""
    return Row(
        seq=seq,
        bot_id=1,
        poller=poller,
        connection=seq,
        method="getupdates",
        arrived_at=arrived,
        closed_at=closed,
    )


def test_the_gap_of_a_handover_is_from_the_old_polls_end_to_the_new_polls_arrival(bench: Any) -> None:
    """Only where the poller changes; never negative."""
    rows = [
        poll_row(1, "one", 1.0, 2.0),
        poll_row(2, "one", 2.5, 3.0),
        poll_row(3, "two", 3.004, 5.0),
        poll_row(4, "one", 4.0, None),
    ]

    assert bench.handover.gaps_ms(rows) == [4.0, 0.0]


def test_the_results_file_is_read_back_as_it_was_written(
    bench: Any, found: dict[str, Any], tmp_path: Path
) -> None:
    """JSON, with each list of samples in one line."""
    bench.results.write(tmp_path / "there" / "results.json", found)

    text = (tmp_path / "there" / "results.json").read_text(encoding="utf-8")
    assert json.loads(text) == found
    assert '"gap_ms": [ 4.0, 6.0 ]' in text


def test_the_facts_name_neither_the_machine_nor_its_folders(bench: Any, tmp_path: Path) -> None:
    """Python, system, kernel without its build, processors, the kind of file system."""
    facts = bench.results.facts(tmp_path)

    assert set(facts) == {"python", "system", "kernel", "processors", "file_system"}
    assert re.fullmatch(r"\d+\.\d+", facts["kernel"])
    assert "/" not in facts["file_system"]


def test_the_page_is_filled_between_its_marks(bench: Any) -> None:
    """What was there before is replaced, what stands around it is kept."""
    begin, end = "<!-- results: written by benchmarks/run.py -->", "<!-- end of results -->"

    filled = bench.results.fill(f"before\n{begin}\nthe last run\n{end}\nafter\n", "results", ["one", "two"])

    assert filled == f"before\n{begin}\n\none\n\ntwo\n\n{end}\nafter\n"


def test_the_page_says_the_conditions_and_the_bars(bench: Any, found: dict[str, Any]) -> None:
    """First what the numbers depend on, then what is missed as well as what is met, then the tables."""
    conditions, bars, table = bench.results.page_parts(found, [[("a table", "n"), ("row", "7")]])

    assert conditions.startswith("Python 3.11.9, Linux 6.1, 2 processors")
    missed = "| added per poll: httpx transport, batch | <= 100 microseconds | 140 microseconds | **no** |"
    assert missed in bars
    assert table == "| a table | n |\n|---|---:|\n| row | 7 |"


def test_a_page_without_marks_is_refused(bench: Any) -> None:
    """Nothing is written where it would not be found again."""
    with pytest.raises(ValueError, match="no place for results"):
        bench.results.fill("a page", "results", [])


@pytest.mark.slow
def test_the_picture_is_the_same_for_the_same_results(
    bench: Any, found: dict[str, Any], tmp_path: Path
) -> None:
    """No date and no random ids: a run that changes nothing changes no file."""
    for name in ("one.svg", "two.svg"):
        bench.plot.draw(found, tmp_path / name)

    picture = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert picture == (tmp_path / "two.svg").read_text(encoding="utf-8")
    for words in ("onepoller", "Added to a poll", "after SIGKILL: all polling"):
        assert words in picture


def test_a_part_that_fails_does_not_stop_the_others(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and the run goes on."""

    def fails(_scale: object, _seed: int) -> dict[str, Any]:
        raise OSError("no processes left")

    gap = {"gap_ms": [4.0], "claim_ms": [3.0], "conflicts": 0, "overlaps": 0}
    monkeypatch.setattr(bench.claim, "run", fails)
    monkeypatch.setattr(bench.handover, "run", lambda _scale, _seed: gap)

    results, failed = bench.run.measure(["claim", "handover"], bench.run.QUICK, 1)

    assert failed == ["claim"]
    assert list(results["benchmarks"]) == ["handover"]


def test_an_unknown_part_is_refused(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured."""
    with pytest.raises(SystemExit):
        bench.run.main(["--quick", "clam"])

    assert "there is no part 'clam'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "body", "ids"),
    [
        pytest.param(b"POST /empty/bot1:x/getUpdates HTTP/1.1", b"", [], id="no updates"),
        pytest.param(
            b"POST /batch/bot1:x/getUpdates HTTP/1.1",
            b'{"timeout":50,"offset":700000100}',
            [*range(700_000_100, 700_000_200)],
            id="a batch from the offset in the body",
        ),
        pytest.param(
            b"POST /batch/bot1:x/getUpdates?offset=700000300 HTTP/1.1",
            b"",
            [*range(700_000_300, 700_000_400)],
            id="a batch from the offset in the query",
        ),
    ],
)
def test_the_canned_server_gives_what_was_asked_for(
    bench: Any, line: bytes, body: bytes, ids: list[int]
) -> None:
    """Ids go on from the offset, so that no guard sees gaps or repetitions."""
    head, _, content = bench.canned.answer(line, body).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(content)}".encode() in head
    assert [update["update_id"] for update in json.loads(content)["result"]] == ids


def connection_to(bench: Any, parked: set[Any]) -> tuple[Any, Any]:
    """Give a connection of the canned server, and what it writes to."""
    connection, transport = bench.canned.Canned(parked), Mock(spec=asyncio.Transport)
    connection.connection_made(transport)
    return connection, transport


def test_the_canned_server_parks_a_poll(bench: Any) -> None:
    """It is counted until its connection closes, and nothing is written."""
    parked: set[Any] = set()
    connection, transport = connection_to(bench, parked)

    connection.data_received(b"POST /park/bot1:x/getUpdates HTTP/1.1\r\n\r\n")
    there = len(parked)
    connection.connection_lost(None)

    assert (there, len(parked), transport.write.call_count) == (1, 0, 0)


def test_the_canned_server_reads_past_a_large_body(bench: Any) -> None:
    """It keeps nothing of it, answers at its end, and the next request after it."""
    connection, transport = connection_to(bench, set())
    size = 2 * bench.canned.LARGE

    connection.data_received(b"POST /bot1:x/sendDocument HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
    connection.data_received(bytes(size - 1))
    before = transport.write.call_count
    connection.data_received(b"xPOST /bot1:x/sendMessage HTTP/1.1\r\n\r\n")

    assert (before, transport.write.call_count) == (0, 2)


def test_the_published_pages_show_the_published_results(bench: Any) -> None:
    """The numbers of docs/benchmarks.md and of the README are those of the results file."""
    stored = json.loads(bench.run.PUBLISHED.read_text(encoding="utf-8"))

    for path, page in bench.run.pages(stored).items():
        assert path.read_text(encoding="utf-8") == page


def test_what_misses_its_mark_is_bold_in_the_readme(bench: Any) -> None:
    """And one mark stands for all where they are the same."""
    stored = json.loads(bench.run.PUBLISHED.read_text(encoding="utf-8"))
    for bar in stored["bars"]:
        bar["met"] = bar["name"] != "added per poll: httpx transport, empty"

    row = next(row for row in bench.headlines.rows(stored) if row[0].startswith("added to a poll without"))

    assert row[1] == "100 µs"
    assert re.fullmatch(r"[\d.]+ µs, \*\*[\d.]+ µs\*\*", row[2])
