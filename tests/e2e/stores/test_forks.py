"""Forked children of a holder."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow
Start = Callable[..., Any]


def test_a_forked_child_does_not_keep_a_dead_parents_claim(start: Start) -> None:
    """The child has let go of the lock: with a lease of an hour the claim is free at once."""
    holder, standby = start(lease=3600), start(lease=3600)
    holder.ask("take")
    child = holder.ask("fork")
    try:
        holder.kill()
        assert standby.ask("take", holder.id) is not None
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_fork_leaves_the_parents_claim_alone(start: Start) -> None:
    """While the parent lives its lock is held, whatever the child has closed."""
    holder, standby = start(lease=3600), start(lease=3600)
    holder.ask("take")
    child = holder.ask("fork")
    try:
        assert standby.ask("take", holder.id) is None
        assert holder.ask("look") is True
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_child_can_open_the_store_for_itself(start: Start) -> None:
    """A child takes its dead parent's claim with the store object that it inherited."""
    holder = start(lease=3600)
    term = holder.ask("take")
    holder.ask("fork", "take")
    holder.kill()
    assert holder.heard() == {"child": term + 1, "old": False}


def test_a_forked_childs_store_excludes_others(start: Start) -> None:
    """What the child does is seen by others, whose last goodbye does not take the database from under it."""
    holder, other = start(lease=3600), start(lease=3600)
    term = holder.ask("take")
    holder.ask("fork", "take")
    holder.kill()
    other.ask("close")
    assert holder.heard()["child"] == term + 1
    other.ask("open")
    assert other.ask("read")["term"] == term + 1
