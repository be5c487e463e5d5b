"""The store is in trouble while bots poll: a writer that is frozen inside a transaction, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onepoller.testing.botapi import overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow
WRITER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("inside", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def frozen_writer(bots: Bots, telegram: Telegram) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that is frozen inside a write, after a bot has begun to poll."""
    bots.bare("a")
    telegram.wait_parked("a")
    command = ["python3", "-c", WRITER, str(bots.state / "claims.db")]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    os.waitid(os.P_PID, writer.pid, os.WSTOPPED | os.WNOWAIT)
    yield writer
    writer.kill()
    writer.wait()
    assert writer.stdout is not None
    writer.stdout.close()


def test_polling_goes_on_beside_a_frozen_writer(
    telegram: Telegram, bots: Bots, frozen_writer: subprocess.Popen[bytes]
) -> None:
    """Past several leases the holder delivers; `status` names the pid; a newcomer comes in afterwards."""
    holder = next(iter(bots))
    newcomer = bots.bare("b")
    newcomer.wait(
        lambda bot: any(f"rocess {frozen_writer.pid}" in said.get("trouble", "") for said in bot.said)
    )
    telegram.push()
    holder.wait_handled(telegram.pushed())
    assert f"rocess {frozen_writer.pid}" in bots.run("status").stdout
    os.kill(frozen_writer.pid, signal.SIGKILL)
    newcomer.wait_said(role="standby")
    newcomer.wait_said(trouble="")
    assert {row.poller for row in telegram.rows() if row.is_poll} == {"a"}


@pytest.fixture
def small_disk(tmp_path: Path, need_root: None) -> Iterator[Path]:  # noqa: ARG001  # a condition
    """Give a small file system, with room for what is kept for bad times."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Use all the space that is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return filler


def test_a_full_disk_stops_nobody_who_polls(telegram: Telegram, bots: Bots, small_disk: Path) -> None:
    """The holder goes on for several leases; a newcomer says what is wrong, and comes in with space."""
    holder = bots.bare("a", state_dir=small_disk / "state", lease=1)
    telegram.wait_parked("a")
    filler = fill(small_disk)
    newcomer = bots.bare("b", state_dir=small_disk / "state", lease=1)
    newcomer.wait(lambda bot: any(said.get("trouble") for said in bot.said))
    time.sleep(2.0)
    telegram.push()
    holder.wait_handled(telegram.pushed())
    assert {row.poller for row in telegram.rows() if row.is_poll} == {"a"}
    filler.unlink()
    newcomer.wait_said(role="standby")


def test_one_takeover_is_paid_for_on_a_full_disk(telegram: Telegram, bots: Bots, small_disk: Path) -> None:
    """The holder is killed: the standby takes over with the space that was kept for it."""
    holder, standby = bots.pair(state_dir=small_disk / "state")
    fill(small_disk)
    holder.kill()
    telegram.wait_parked("b")
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert overlaps(telegram.rows()) == []
