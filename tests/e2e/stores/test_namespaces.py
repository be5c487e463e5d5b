"""Containers that share a directory: other PID namespaces, where pids mean something else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow
Start = Callable[..., Any]
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture(autouse=True)
def _need_unshare(need_root: None) -> None:  # noqa: ARG001  # skips first
    tried = subprocess.run([*CONTAINER, "true"], check=False, capture_output=True)
    if tried.returncode:
        pytest.skip(f"cannot make a PID namespace here: {tried.stderr.decode().strip()}")


def test_a_living_holder_in_another_namespace_is_left_alone(start: Start) -> None:
    """Both are pid 1 or so; the lock tells them apart."""
    holder, standby = start(before=CONTAINER, lease=3600), start(before=CONTAINER, lease=3600)
    holder.ask("take")
    assert standby.ask("take", holder.id) is None


def test_a_death_in_another_namespace_is_heard(start: Start) -> None:
    """The whole container goes, and its claim is free at once."""
    holder = start(before=CONTAINER, lease=3600)
    standby = start(before=CONTAINER, lease=3600, slow_look=60)
    holder.ask("take")
    standby.ask("watch")
    holder.kill()
    assert standby.heard()["change"] == holder.id
    assert standby.ask("take", holder.id) is not None
