"""`onepoller run` as its surroundings see it: exit codes, output, wrong input, systemd, PID 1."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.bots.runs import Runs

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(bots: Bots, tmp_path: Path) -> Runs:
    """Give a maker of `onepoller run` processes."""
    return Runs(bots, tmp_path)


def run_command(bots: Bots, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `onepoller run` for a bot that nobody else runs, to its end."""
    return bots.run("run", "--bot", str(bots.telegram.bot_id), *arguments)


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)])
def test_the_exit_code_is_the_commands(bots: Bots, script: str, code: int) -> None:
    """A number as it is, a signal as shells count it; its output is what it wrote."""
    result = run_command(bots, "--", "sh", "-c", f"printf 'a\\0b'; {script}")
    assert (result.returncode, result.stdout) == (code, "a\0b")


def test_what_the_command_leaves_behind_is_ended(bots: Bots, tmp_path: Path) -> None:
    """A process of its group that stays is sent SIGTERM before `run` ends."""
    told = tmp_path / "told"
    ready = tmp_path / "ready"
    stays = f"trap 'touch {told}; exit' TERM; touch {ready}; while :; do sleep 0.05; done"
    script = f'sh -c "$0" & while [ ! -e {ready} ]; do sleep 0.02; done'
    assert run_command(bots, "--", "sh", "-c", script, stays).returncode == 0
    assert told.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Missing argument '-- COMMAND...'."),
        (
            ("--", "no-such-program"),
            "run: there is no program 'no-such-program' here, or it may not be executed",
        ),
        (
            ("--grace", "-1", "--", "true"),
            "run: --grace must lie between 0 and 3600 seconds, not be -1",
        ),
        (
            ("--proxy", "--proxy-env", "A=B", "--", "true"),
            "run: --proxy-env must be the name of a variable, not 'A=B'",
        ),
        (
            ("--proxy", "--proxy-env", "", "--", "true"),
            "run: --proxy-env must be the name of a variable, not ''",
        ),
    ],
)
def test_wrong_input_is_one_sentence(bots: Bots, arguments: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, and nothing is started."""
    result = run_command(bots, *arguments)
    assert (result.returncode, result.stderr) == (2, f"onepoller: {sentence}\n")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "run: which bot? MY_TOKEN is not set; name the variable with --token-env, or use --bot"),
        ("secret", "run: MY_TOKEN holds no bot token here: expected digits, a colon and a secret"),
    ],
)
def test_the_bot_must_be_known(bots: Bots, monkeypatch: pytest.MonkeyPatch, value: str, says: str) -> None:
    """The sentence names the variable, and never what it holds."""
    monkeypatch.setenv("MY_TOKEN", value)
    result = bots.run("run", "--token-env", "MY_TOKEN", "--", "true")
    assert (result.returncode, result.stderr) == (2, f"onepoller: {says}\n")


# systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Give the socket of a service manager, and its address as systemd names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@onepoller-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1))
        listening.settimeout(PATIENCE)
        yield listening, name


def hear_until(listening: socket.socket, is_last: Callable[[str], bool]) -> list[str]:
    """Hear datagrams up to one of this kind."""
    heard: list[str] = []
    while not heard or not is_last(heard[-1]):
        heard.append(listening.recv(4096).decode())
    return heard


def test_systemd_hears_that_a_standby_is_ready_and_alive(
    telegram: Telegram, runs: Runs, monkeypatch: pytest.MonkeyPatch, manager: tuple[socket.socket, str]
) -> None:
    """READY and STATUS in standby, WATCHDOG, another STATUS with the child, STOPPING at the end."""
    listening, name = manager
    holder = runs.start("a")
    telegram.wait_parked("a")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    standby = runs.start("b")
    who = f"{socket.gethostname()} pid {holder.pid} ('a')"
    ready = f"READY=1\nSTATUS=bot {telegram.bot_id}: standby, {who} has it"
    hear_until(listening, lambda words: words == ready)
    hear_until(listening, lambda words: words == "WATCHDOG=1")
    holder.send(signal.SIGTERM)
    running = f"READY=1\nSTATUS=bot {telegram.bot_id}: {Path(sys.executable).name} runs, pid "
    hear_until(listening, lambda words: words.startswith(running))
    standby.wait_said(began="b")
    standby.send(signal.SIGTERM)
    hear_until(listening, lambda words: words == "STOPPING=1")


def test_the_child_is_not_given_the_managers_socket(
    bots: Bots, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`run` speaks for the service; what the child said would be refused, or mistaken for ours."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    result = run_command(bots, "--", "sh", "-c", "echo ${NOTIFY_SOCKET-none}")
    assert (result.returncode, result.stdout) == (0, "none\n")


# As PID 1


ORPHANS = """
import os, subprocess, time
subprocess.run(["sh", "-c", "sleep 0.2 & sleep 0.2 & :"])
def states():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, _, rest = open(f"/proc/{pid}/stat").read().rpartition(")")
        except OSError:
            continue
        if name.endswith("(sleep"):
            yield rest.split()[0]
while set(states()) - {"Z"}:
    time.sleep(0.02)
end = time.monotonic() + 5
while list(states()) and time.monotonic() < end:
    time.sleep(0.02)
print(os.getppid(), list(states()))
"""
AS_PID_1 = "unshare --pid --fork --mount-proc --kill-child"


@pytest.mark.usefixtures("need_root")
def test_as_pid_1_it_reaps_orphans(bots: Bots) -> None:
    """Processes that its child has left behind do not stay as zombies."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (package util-linux) and the right to make a PID namespace")
    ours = [sys.executable, "-m", "onepoller", "run", "--bot", "5", "--", sys.executable, "-c", ORPHANS]
    result = subprocess.run(
        [*AS_PID_1.split(), *ours],
        env=bots.environment({}),
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert (result.returncode, result.stdout) == (0, "1 []\n"), result.stderr


@pytest.mark.usefixtures("need_root")
def test_as_pid_1_it_hands_on_sigterm(telegram: Telegram, runs: Runs) -> None:
    """The kernel keeps signals without a handler from PID 1; this one has one."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (package util-linux) and the right to make a PID namespace")
    run = runs.start("a", before="unshare --pid --fork --mount-proc --kill-child")
    telegram.wait_parked("a")
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    run.wait_said(ended="a")
    assert run.ended() == 0
