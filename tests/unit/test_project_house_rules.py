"""tests/conftest.py, run on tests that break its rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NAUGHTY = """
import logging, os, socket, threading

def test_logs(canary):
    logging.getLogger("anybody").debug("GET /bot%s/getUpdates", canary)

def test_prints(canary):
    print(canary)

def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, args=(1.5,), name="left").start()

def test_connects():
    socket.socket().connect(("192.0.2.1", 80))

def test_looks_up():
    try:
        socket.getaddrinfo("bot.example", 443)
    except Exception:
        pass

def test_needs_a_server(require_program):
    require_program("no-such-server")

def test_behaves(canary):
    assert [name for name in os.environ if name.startswith("ONEPOLLER_")] == ["ONEPOLLER_STATE_DIR"]
    assert os.listdir(os.environ["ONEPOLLER_STATE_DIR"]) == []
    print(canary.partition(":")[0])
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
"""

pytestmark = pytest.mark.slow


def run(folder: Path, *options: str, **environment: str) -> dict[str, str]:
    """Run the naughty tests and give the summary's last line for each."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "test_naughty.py").write_text(NAUGHTY, encoding="utf-8")
    usual = ["-q", "-rA", "-p", "no:cacheprovider", "--import-mode=importlib", "-o", "log_level=DEBUG"]
    output = subprocess.run(
        [sys.executable, "-m", "pytest", *usual, *options],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "ONEPOLLER_LEASE": "1", **environment},
        capture_output=True,
        check=False,
        text=True,
    ).stdout
    lines = output.rpartition("short test summary info")[2].splitlines()
    named = [(found.group(1), line) for line in lines if (found := re.search(r"::test_(\w+)", line))]
    skipped = [("needs_a_server", line) for line in lines if line.startswith("SKIPPED")]
    return dict(named + skipped)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the outcome of each naughty test."""
    return run(tmp_path_factory.mktemp("naughty"))


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        pytest.param("logs", "FAILED the canary token's secret is in: Captured log call", id="logs"),
        pytest.param("prints", "FAILED the canary token's secret is in: Captured stdout call", id="prints"),
        pytest.param(
            "leaves_a_thread",
            "ERROR AssertionError: threads left behind: ['left']",
            id="leaves a thread behind",
        ),
        pytest.param(
            "connects",
            "FAILED conftest.OtherMachine: a test may reach this machine only, not 192.0.2.1",
            id="connects to another machine",
        ),
        pytest.param(
            "looks_up",
            "ERROR AssertionError: hosts outside this machine, refused: ['bot.example']",
            id="looks up another machine, and swallows the refusal",
        ),
        pytest.param("behaves", "PASSED", id="keeps the rules"),
    ],
)
def test_a_rule_that_is_broken_fails_the_test(summary: dict[str, str], test: str, outcome: str) -> None:
    """What the house forbids is named; what it allows passes."""
    assert summary[test].replace(f" test_naughty.py::test_{test}", "").replace(" - ", " ") == outcome


def test_a_missing_server_skips_its_tests(summary: dict[str, str]) -> None:
    """The reason says what to install."""
    assert "no-such-server is not installed: `make servers`" in summary["needs_a_server"]


def test_a_missing_server_fails_its_tests_where_servers_are_required(tmp_path: Path) -> None:
    """CI must not pass by skipping."""
    outcome = run(tmp_path, "-k", "needs", ONEPOLLER_REQUIRE_SERVERS="1")["needs_a_server"]

    assert outcome.startswith("FAILED")
