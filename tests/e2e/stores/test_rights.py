"""Directories of other users, and of groups."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("need_root")]
Start = Callable[..., Any]
GROUP = 60100


def as_user(number: int) -> list[str]:
    """Run what follows as this user, in the group that shares."""
    return ["setpriv", f"--reuid={number}", f"--regid={number}", f"--groups={GROUP}"]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory that a group may write."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and parent.stat().st_mode & 0o011 != 0o011 and "pytest" in str(parent):
            parent.chmod(0o711)
    directory = tmp_path / "shared"
    directory.mkdir()
    os.chown(directory, 0, GROUP)
    directory.chmod(0o2770)
    return directory


def test_users_of_one_group_share_a_directory(start: Start, shared: Path) -> None:
    """Each sees the other's claim, proves the other's death, and takes over."""
    first = start(shared, before=as_user(60101))
    second = start(shared, before=as_user(60102))
    first.ask("take")
    assert second.ask("take", first.id) is None
    first.kill()
    assert second.ask("take", first.id) is not None


def test_a_groups_directory_has_the_groups_rights(start: Start, shared: Path) -> None:
    """`onepoller/` is the group's, and nobody else's."""
    start(shared, before=as_user(60101))
    info = (shared / "onepoller").stat()
    assert (info.st_gid, oct(info.st_mode & 0o7777)) == (GROUP, "0o2770")


def test_a_transfer_wakes_the_other_user(start: Start, shared: Path) -> None:
    """The group's rights are enough for a wake-up."""
    first = start(shared, before=as_user(60101))
    second = start(shared, before=as_user(60102), slow_look=60)
    second.ask("watch")
    first.ask("take")
    first.ask("give", second.id)
    assert second.heard()["heir"] == second.id
