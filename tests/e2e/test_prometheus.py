"""A real Prometheus scrapes a process of ours, and answers every query of the dashboard and of the alerts."""

from __future__ import annotations

import json
import math
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, ClaimEvent, Dropped, Outcome
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role
from onepoller.metrics import Ledger, MetricsServer
from onepoller.metrics.catalogue import METRICS, RESOLUTIONS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "metrics" / "alerts" / "onepoller.yml"
BOARD: dict[str, Any] = json.loads((ROOT / "metrics" / "dashboards" / "onepoller.json").read_text("utf-8"))
PATIENCE = 60.0
"""Seconds for a server to start, or to scrape. Wide: the machine may be busy."""

pytestmark = pytest.mark.slow
Require = Callable[[str], Path]


def let_much_happen(ledger: Ledger) -> None:
    """Tell the ledger of something for every metric."""
    polls, fails = BotId(7_000_000_001), BotId(7_000_000_002)
    for bot in (polls, fails):
        ledger(events.BotSeen(bot_id=bot))
        ledger(events.RoleChanged(bot_id=bot, role=Role.STANDBY, was=Role.STARTING))
    for event in ClaimEvent:
        ledger(events.ClaimChanged(bot_id=polls, event=event, term=Term(1), cause=Cause.DIED))
    ledger(events.RoleChanged(bot_id=polls, role=Role.POLLING, was=Role.STANDBY, term=Term(1)))
    for outcome in Outcome:
        ledger(
            events.PollEnded(
                bot_id=polls,
                outcome=outcome,
                seconds=0.3,
                updates=2 if outcome is Outcome.UPDATES else 0,
                timeout=0.1,
            )
        )
    ledger(events.FirstPollEnded(bot_id=polls, seconds=0.1, cause=Cause.DIED))
    ledger(events.UpdatesDropped(bot_id=polls, count=1, reason=Dropped.STALE_OWNER))
    ledger(events.UpdateGap(bot_id=polls, missed=2, repeated=1))
    for kind in Kind:
        ledger(events.ConflictSeen(bot_id=polls, kind=kind, seconds=0.1))
    for kind, ends in RESOLUTIONS.items():
        for end in ends:
            ledger(events.EpisodeOpened(bot_id=fails, kind=kind, policy="hold"))
            ledger(events.EpisodeClosed(bot_id=fails, kind=kind, resolution=end, seconds=20.0, conflicts=3))
    ledger(events.EpisodeOpened(bot_id=fails, kind=Kind.RIVAL, policy="hold"))
    ledger(events.Stalled(bot_id=fails, seconds=20.0))
    ledger(events.TokenRefused(bot_id=fails))
    ledger(events.WebhookCallGuarded(bot_id=fails, answer="refused"))
    ledger(events.BeatEnded(seconds=0.001, margin=0.66))
    ledger(events.BeatEnded(seconds=0.001, error="away"))
    for operation in ("open", "swap"):
        ledger(events.StoreCalled(operation=operation, seconds=0.002))
        ledger(events.StoreCalled(operation=operation, seconds=0.002, error="full"))
    ledger(events.StoreTrouble(text="no space left."))
    ledger(events.SessionLost(reason="ended"))
    ledger(events.SessionOpened(session="s", store="file", lease=10.0))


class Program:
    """A process of ours: where its metrics are, and how to make more of them happen."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._server = MetricsServer(self._ledger, address="127.0.0.1:0")
        url = self._server.start()
        assert url is not None
        self.address = urllib.parse.urlsplit(url).netloc
        self.go_on()

    def go_on(self) -> None:
        """Let more happen."""
        let_much_happen(self._ledger)

    def end(self) -> None:
        """End it."""
        self._server.close()


class Prometheus:
    """A Prometheus server, started at the first `ask`, which scrapes a program every second."""

    def __init__(self, folder: Path, program: Program) -> None:
        self._folder = folder
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def start(self, executable: Path) -> None:
        """Start it, if that has not been done, and wait until it has seen the program change."""
        if self._process is not None:
            return
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self._url = f"http://{address}/api/v1/"
        config = self._folder / "prometheus.yml"
        config.write_text(json.dumps(self._config()), encoding="utf-8")  # JSON is YAML
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    executable,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={address}",
                ],
                stdout=log,
                stderr=log,
            )
        self._until(lambda: self.values('sum_over_time(up{job="onepoller"}[1m])') >= [2.0])
        self._program.go_on()
        lost = "onepoller_sessions_lost_total"
        self._until(lambda: self.values(f"count_over_time(({lost} >= 2)[1m:1s])") >= [2.0])

    def get(self, path: str, **parameters: str) -> Any:  # JSON
        """Ask its API, and give the data of a successful answer."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}{path}?{query}", timeout=10) as answer:  # noqa: S310  # loopback
            return json.load(answer)["data"]

    def values(self, expr: str) -> list[float]:
        """Evaluate an expression now."""
        return [float(series["value"][1]) for series in self.get("query", query=expr)["result"]]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _config(self) -> dict[str, Any]:
        return {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "onepoller", "static_configs": [{"targets": [self._program.address]}]}
            ],
        }

    def _until(self, has_happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                if has_happened():
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(0.1)
        pytest.fail(f"Prometheus: {(self._folder / 'log').read_text('utf-8')[-2000:]}")


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """Give the program that is scraped."""
    program = Program()
    yield program
    program.end()


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[Prometheus]:
    """Give a server for all tests of this file, not started yet."""
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), program)
    yield server
    server.stop()


@pytest.fixture
def prometheus(idle: Prometheus, require_program: Require) -> Prometheus:
    """Give the server, running."""
    idle.start(require_program("prometheus"))
    return idle


def promtool(executable: Path, *arguments: str | Path, given: bytes = b"") -> tuple[int, str]:
    """Run promtool; give its exit code and what it said."""
    ran = subprocess.run([executable, *arguments], input=given, capture_output=True, check=False)
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_the_rules_are_valid(require_program: Require) -> None:
    """Every one of them is found."""
    count = len(yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"])

    assert (
        f"SUCCESS: {count} rules found" in promtool(require_program("promtool"), "check", "rules", RULES)[1]
    )


def test_the_rules_fire_when_they_should(require_program: Require) -> None:
    """And not before: the cases are in alerts_test.yml."""
    code, said = promtool(
        require_program("promtool"), "test", "rules", Path(__file__).with_name("alerts_test.yml")
    )

    assert code == 0, said


def test_the_metrics_follow_the_rules_of_naming(require_program: Require, program: Program) -> None:
    """Promtool has nothing to say about them."""
    with urllib.request.urlopen(f"http://{program.address}/metrics", timeout=10) as answer:
        text = answer.read()

    assert promtool(require_program("promtool"), "check", "metrics", given=text) == (0, "")


def test_every_metric_of_the_catalogue_arrives(prometheus: Prometheus) -> None:
    """And no other of our prefix."""
    arrived = {name for name in prometheus.get("label/__name__/values") if name.startswith("onepoller_")}
    ends = ("", "_bucket", "_count", "_sum")

    assert arrived == {
        metric.name + end for metric in METRICS for end in (ends[1:] if metric.buckets else ends[:1])
    }


def test_every_query_of_the_dashboard_has_an_answer(prometheus: Prometheus) -> None:
    """At least one finite number: the program has done something for each."""
    now = time.time()
    queries = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in BOARD["panels"]
        for target in panel.get("targets", ())
    } | {note["name"]: note["expr"] for note in BOARD["annotations"]["list"]}
    empty = []
    for title, expr in queries.items():
        answer = prometheus.get(
            "query_range", query=filled(expr), start=str(now - 30), end=str(now), step="1"
        )
        values = [float(value) for series in answer["result"] for _, value in series["values"]]
        if not any(math.isfinite(value) for value in values):
            empty.append(title)

    assert len(queries) > 40
    assert empty == []


def test_every_variable_of_the_dashboard_has_values(prometheus: Prometheus) -> None:
    """What the drop-downs offer."""
    offered = {}
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found is not None
            data = {"match[]": filled(found[1])}
            offered[variable["name"]] = len(prometheus.get(f"label/{found[2]}/values", **data))

    assert offered == {"job": 1, "instance": 1, "bot_id": 2}


def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus) -> None:
    """By the server itself, on what it has scraped."""
    (group,) = prometheus.get("rules")["groups"]
    ill = {rule["name"]: rule.get("lastError", "") for rule in group["rules"] if rule["health"] != "ok"}

    assert ill == {}


def test_the_rules_see_what_the_program_tells(prometheus: Prometheus) -> None:
    """Those on states are pending at once."""
    (group,) = prometheus.get("rules")["groups"]
    raised = {rule["name"] for rule in group["rules"] if rule["state"] != "inactive"}

    assert raised >= {
        "OnepollerBotNoPoller",
        "OnepollerBotStalled",
        "OnepollerRival",
        "OnepollerStoreTrouble",
        "OnepollerTokenRefused",
    }


def filled(expr: str) -> str:
    """Put values in for Grafana's variables."""
    expr = expr.replace("$__rate_interval", "10s").replace("$__range", "1m")
    return re.sub(r"\$\w+", ".+", expr)
