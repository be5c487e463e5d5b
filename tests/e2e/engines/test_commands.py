"""The command line with a server as the store: it finds what the bots do there, and shows no password."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.engines.servers import OwnServer, Redis, Server

pytestmark = pytest.mark.slow
PASSWORD = "open-sesame"
LEASE = 4.0


class Locked(Redis):
    """A Redis that asks for a password."""

    def __init__(self, found: Path, folder: Path) -> None:
        super().__init__(found, folder, more=("--requirepass", PASSWORD))

    @property
    def url(self) -> str:
        """With the password."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"


@pytest.fixture
def server(own_server: OwnServer) -> Server:
    """Give a server that asks for a password."""
    return own_server(Locked)


class Shell:
    """Somebody at a terminal of this host."""

    def __init__(self, telegram: Telegram, bots: Bots) -> None:
        self._environment = bots.environment({"lease": LEASE}) | {"TELEGRAM_BOT_TOKEN": telegram.token}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; nothing that it prints has the password."""
        done = subprocess.run(
            [sys.executable, "-m", "onepoller", *arguments],
            env=self._environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE,
        )
        assert PASSWORD not in done.stdout + done.stderr
        return done


@pytest.fixture
def shell(telegram: Telegram, bots: Bots) -> Shell:
    """Give a terminal."""
    return Shell(telegram, bots)


def test_status_doctor_and_handover_work_on_a_server(
    telegram: Telegram, bots: Bots, server: Server, shell: Shell
) -> None:
    """As on a directory; and no log of a bot has the password either."""
    first, second = bots.pair(store=server.url, lease=LEASE)
    where = ("--store", server.url)

    (bot,) = json.loads(shell.run("status", "--json", *where).stdout)["bots"]
    assert (bot["holder"]["pid"], bot["claim"], bot["state"]) == (first.pid, "held", "polling")
    assert [standby["pid"] for standby in bot["standbys"]] == [second.pid]

    doctor = shell.run("doctor", "--api-root", telegram.url, "--wait", "1", *where)
    assert doctor.returncode == 0
    assert f"store redis://127.0.0.1:{server.port}/0" in doctor.stdout

    asked = shell.run("handover", str(telegram.bot_id), *where)
    assert asked.returncode == 0, asked.stderr
    assert f"pid {second.pid} ('b') now" in asked.stdout
    telegram.wait_parked("b")
    assert PASSWORD not in first.log + second.log


def test_a_dead_holder_of_this_host_is_seen_as_lost_at_once(
    telegram: Telegram, bots: Bots, server: Server, shell: Shell
) -> None:
    """Its lease has seconds to go."""
    holder = bots.bare("a", store=server.url, lease=LEASE)
    telegram.wait_parked("a")
    holder.kill()
    holder.ended()
    (bot,) = json.loads(shell.run("status", "--json", "--store", server.url).stdout)["bots"]
    assert (bot["claim"], bot["state"]) == ("lost", "holder is silent")


def test_run_takes_a_server(telegram: Telegram, server: Server, shell: Shell) -> None:
    """The program runs once the claim is ours there."""
    program = (sys.executable, "-c", "print('it runs')")
    done = shell.run("run", "--bot", str(telegram.bot_id), "--store", server.url, "--", *program)
    assert (done.returncode, done.stdout) == (0, "it runs\n"), done.stderr
    assert f"instances meet in redis://127.0.0.1:{server.port}/0" in done.stderr


@pytest.mark.parametrize(
    "command", [("status",), ("handover", "7000000001"), ("doctor", "--wait", "1", "--api-root", "API")]
)
def test_a_server_that_is_gone_is_one_sentence(
    telegram: Telegram, server: Server, shell: Shell, command: tuple[str, ...]
) -> None:
    """It names the server and what it does not do."""
    server.kill()
    words = [telegram.url if word == "API" else word for word in command]
    done = shell.run(*words, "--store", server.url)
    assert done.returncode == (1 if command[0] == "doctor" else 69)
    assert f"redis://127.0.0.1:{server.port}/0 does not answer" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("is_a_server", [True, False])
def test_a_holder_that_is_silent_is_uncertain_before_it_is_lost(
    telegram: Telegram, bots: Bots, server: Server, shell: Shell, is_a_server: bool
) -> None:
    """Two of its three heartbeats have not come; seen from outside, whatever the store."""
    store = server.url if is_a_server else f"file://{bots.state}"
    holder = bots.bare("a", store=store, lease=15)  # a look must fit into a third of it: a slow one takes 3 s
    telegram.wait_parked("a")
    holder.send(signal.SIGSTOP)
    seen: list[str] = []
    while "lost" not in seen:
        (bot,) = json.loads(shell.run("status", "--json", "--store", store).stdout)["bots"]
        seen.append(bot["claim"])
    assert list(dict.fromkeys(seen))[-2:] == ["uncertain", "lost"]
