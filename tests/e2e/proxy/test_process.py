"""`onepoller proxy` as people run it: two processes on one host, their ends, and what they write."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onepoller.testing.botapi import conflicts
from tests.conftest import CANARY
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.proxy.sidecars import Sidecar, Sidecars

pytestmark = pytest.mark.slow


def call(url: str, patience: float = 30) -> tuple[int, Any]:
    """Send a GET; gives status and body."""
    try:
        with urllib.request.urlopen(url, timeout=patience) as response:  # noqa: S310  # our own
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Poller:
    """A client that polls through any proxy that answers, as one behind a load balancer does."""

    def __init__(self, proxies: list[Sidecar], token: str) -> None:
        self.seen: list[int] = []
        self.statuses: set[int] = set()
        self._urls = [proxy.url for proxy in proxies]
        self._token = token
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        offset = 0
        while not self._stopped.is_set():
            try:
                status, body = call(f"{self._urls[0]}/bot{self._token}/getUpdates?offset={offset}&timeout=1")
            except OSError:
                self._urls.append(self._urls.pop(0))
                continue
            self.statuses.add(status)
            for update in body["result"]:
                self.seen.append(update["update_id"])
                offset = update["update_id"] + 1

    def stop(self) -> None:
        """Poll no more."""
        self._stopped.set()
        self._thread.join(10)


@pytest.fixture
def poll(sidecars: Sidecars, telegram: Telegram) -> Iterator[Callable[[list[Sidecar]], Poller]]:
    """Give a maker of clients that are stopped with the test."""
    del sidecars
    made: list[Poller] = []

    def start(proxies: list[Sidecar]) -> Poller:
        made.append(Poller(proxies, telegram.token))
        return made[-1]

    yield start
    for poller in made:
        poller.stop()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_client_goes_on_at_the_other_proxy(
    sidecars: Sidecars, telegram: Telegram, poll: Callable[[list[Sidecar]], Poller], end: str
) -> None:
    """Killed or ended, the one proxy passes the bot to the other: all messages, each once, no conflict."""
    proxies = [sidecars.proxy(), sidecars.proxy()]
    client = poll(proxies)
    telegram.push(60, every=0.05)
    telegram.wait_for(lambda row: bool(row.update_ids))
    getattr(proxies[0], end)()
    telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None and len(client.seen) == 60)
    assert client.seen == telegram.pushed()
    assert (client.statuses, [row for row in conflicts(telegram.rows()) if not row.is_ghost]) == ({200}, [])


def test_it_ends_cleanly_by_sigterm_with_polls_open(
    sidecars: Sidecars, telegram: Telegram, poll: Callable[[list[Sidecar]], Poller]
) -> None:
    """Exit code 0, and no traceback."""
    proxy = sidecars.proxy()
    poll([proxy])
    telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None)
    assert (proxy.stop(), "Traceback" in proxy.log) == (0, False)


def test_it_says_what_fits(sidecars: Sidecars) -> None:
    """In its one line, and in the status beside its metrics."""
    proxy = sidecars.proxy("--metrics", "127.0.0.1:0", "--allow-bot", "7000000001", log_format="json")
    proxy.wait_logged("metrics")
    (line,) = [line for line in proxy.log.splitlines() if "http://" in line and "metrics" in line]
    url = next(word for word in line.replace('"', " ").split() if word.startswith("http://"))
    _, status = call(url.removesuffix("/metrics") + "/status")
    section = status["proxy"]
    assert section | {"clients": 0} == {
        "listens": proxy.url,
        "api_root": sidecars.telegram.url,
        "allowed_bots": [7000000001],
        "clients": 0,
        "most_clients": section["most_clients"],
    }
    assert f"bots 7000000001, room for {section['most_clients']} clients" in proxy.greeting


def onepoller(*arguments: str) -> str:
    """Run a command that reads; gives what it prints."""
    command = [sys.executable, "-m", "onepoller", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=30)
    return done.stdout


def test_status_shows_each_proxy_and_what_fits(sidecars: Sidecars, tmp_path: Path) -> None:
    """From the store, before any bot is there: how many clients each has, and how many there may be."""
    state = ("--state-dir", str(tmp_path / "state"))
    one, two = sidecars.proxy(label="", lease=1), sidecars.proxy(label="two", lease=1)
    most = int(re.search(r"room for (\d+) clients", one.greeting)[1])  # type: ignore[index]  # it says so
    end = time.monotonic() + PATIENCE
    with socket.create_connection(("127.0.0.1", int(two.url.rpartition(":")[2]))):
        while True:
            proxies = json.loads(onepoller("status", *state, "--json"))["proxies"]
            found = {p["pid"]: (p["label"], p["clients"], p["most_clients"]) for p in proxies}
            if found == {
                one.process.pid: ("proxy 127.0.0.1:0", 0, most),
                two.process.pid: ("two", 1, most),
            }:
                break
            assert time.monotonic() < end, proxies
        told = onepoller("status", *state)
    assert f"pid {two.process.pid} ('two'): 1 of {most} clients\n" in told
    two.kill()
    assert f"pid {two.process.pid}" not in onepoller("status", *state)


def test_no_token_is_written(sidecars: Sidecars, telegram: Telegram) -> None:
    """Not for polls, refusals, wrong paths, broken requests, faults, nor with the API out of reach."""
    del telegram
    good = sidecars.proxy(log_format="json")
    lost = sidecars.proxy("--api-root", "http://127.0.0.1:9")
    paths = ["getUpdates?timeout=1", "getMe", "deleteWebhook", "nothing/here", "get%00", "?method=x"]
    answers = [call(f"{proxy.url}/bot{CANARY}/{path}") for proxy in (good, lost) for path in paths]
    statuses = [status for status, _ in answers]
    assert statuses == [200, 200, 200, 404, 404, 404, 502, 502, 502, 404, 404, 502]
    secret = CANARY.partition(":")[2]
    written = json.dumps(answers) + good.log + lost.log + good.greeting + lost.greeting
    assert secret not in written


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--listen", "nowhere"], "--listen must look like 127.0.0.1:8081, not 'nowhere'"),
        (["--listen", "0.0.0.0:0"], "--listen 0.0.0.0: whoever reaches this address could use the proxy"),
        (["--api-root", "api.telegram.org"], "--api-root must look like https://api.telegram.org"),
        (["--allow-bot", "x"], "Invalid value for '--allow-bot'"),
    ],
)
def test_wrong_input_is_one_sentence(options: list[str], sentence: str) -> None:
    """And exit code 2."""
    command = [sys.executable, "-m", "onepoller", "proxy", *options]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert sentence in done.stderr
