"""A disk without space: a small tmpfs, filled up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("need_root")]
Start = Callable[..., Any]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all the space there is."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    return ballast


def write_until_full(process: Any) -> Exception:  # a Process of conftest.py
    """Take claims of more and more bots, until one does not fit any more."""
    for bot_id in range(1, 500):
        try:
            process.ask("take", None, bot_id)
        except Exception as error:  # noqa: BLE001  # Refused; the caller looks at it
            return error
    raise AssertionError("the disk is not full")


def test_a_change_that_does_not_fit_says_so(start: Start, disk: Path) -> None:
    """One sentence, and it is told until a change is written again."""
    holder = start(disk / "state")
    holder.ask("take")
    ballast = fill(disk)
    error = write_until_full(holder)
    assert str(error) == f"StoreFull: No space left for {disk}/state: holders go on, changes wait."
    assert holder.ask("read")["trouble"] == f"No space left for {disk}/state: holders go on, changes wait."
    ballast.unlink()
    assert holder.ask("take", None, 1000) is not None
    assert holder.ask("read")["trouble"] == ""


def test_a_holder_keeps_its_claim_and_beats(start: Start, disk: Path) -> None:
    """A beat takes no space, and neither does the look."""
    holder, other = start(disk / "state"), start(disk / "state")
    holder.ask("take")
    fill(disk)
    write_until_full(other)
    holder.ask("still")
    while not holder.ask("is_late"):
        pass
    holder.ask("beat")
    assert (holder.ask("is_late"), holder.ask("look")) == (False, True)


def test_a_reserve_pays_for_a_takeover(start: Start, disk: Path) -> None:
    """A standby takes over from a dead holder where nothing else can be written; later it is kept again."""
    holder, standby = start(disk / "state"), start(disk / "state")
    holder.ask("take")
    ballast = fill(disk)
    write_until_full(standby)
    holder.kill()
    assert standby.ask("take", holder.id) is not None
    ballast.unlink()
    standby.ask("take", None, 1000)
    assert (disk / "state" / "reserve").stat().st_size > 0
