"""Processes that are frozen: outside a write, and in the middle of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow
Start = Callable[..., Any]


def wait_for_silence(standby: Any, holder: Any) -> None:  # Processes of conftest.py
    """Until the standby hears that the holder has not beaten for a lease."""
    standby.ask("watch")
    while standby.heard()["change"] != holder.id:
        pass


def test_a_frozen_holder_is_ended_after_its_lease(start: Start) -> None:
    """SIGSTOP: its lock is held for ever, its beat is not."""
    holder, standby = start(), start()
    holder.ask("take")
    holder.stop()
    assert standby.ask("take", holder.id) is None
    wait_for_silence(standby, holder)
    assert standby.ask("take", holder.id) is not None


def test_a_thawed_holder_does_not_deliver(start: Start) -> None:
    """The first look after the thaw is False."""
    holder, standby = start(), start()
    holder.ask("take")
    holder.ask("still")
    holder.stop()
    wait_for_silence(standby, holder)
    standby.ask("take", holder.id)
    holder.go_on()
    assert holder.ask("look") is False


def test_a_thawed_holder_is_told_that_it_is_over(start: Start, refused: type[Exception]) -> None:
    """Its first beat raises SessionOver, and a new session can be opened."""
    holder, standby = start(), start()
    holder.ask("take")
    holder.ask("still")
    holder.stop()
    wait_for_silence(standby, holder)
    standby.ask("take", holder.id)
    holder.go_on()
    with pytest.raises(refused, match="SessionOver"):
        holder.ask("beat")
    assert holder.ask("open") != holder.id


def test_a_thawed_holder_that_nobody_ended_goes_on(start: Start) -> None:
    """Past its deadline a beat confirms inside a transaction, and the claim is still there."""
    holder = start()
    holder.ask("take")
    holder.ask("still")
    while not holder.ask("is_late"):
        pass
    holder.ask("beat")
    assert (holder.ask("is_late"), holder.ask("look")) == (False, True)


def test_a_frozen_writer_is_named(start: Start, refused: type[Exception]) -> None:
    """Who waits for it learns its pid from the error."""
    writer, other = start(), start()
    writer.tell("stop_inside_write")
    writer.wait_until_stopped()
    with pytest.raises(refused, match="StoreBusy") as error:
        other.ask("take")
    assert error.value.pid == writer.pid  # type: ignore[attr-defined]  # Refused


def test_a_frozen_writer_does_not_stop_readers_and_beats(start: Start) -> None:
    """Looks, reads and plain beats go on, and the read tells the trouble in one sentence with the pid."""
    writer, holder = start(), start()
    holder.ask("take")
    writer.tell("stop_inside_write")
    writer.wait_until_stopped()
    holder.ask("beat")
    assert holder.ask("look") is True
    assert holder.ask("read")["holder"] == holder.id
    assert holder.ask("status").startswith(f"Process {writer.pid} stays inside a write")


def test_the_trouble_goes_when_the_writer_thaws(start: Start, refused: type[Exception]) -> None:
    """After the thaw changes are written again, and nothing is told any more."""
    writer, other = start(), start()
    writer.tell("stop_inside_write")
    writer.wait_until_stopped()
    with pytest.raises(refused):
        other.ask("take")
    assert other.ask("read")["trouble"]
    writer.go_on()
    writer.heard()
    assert other.ask("take") is not None
    assert other.ask("read")["trouble"] == ""


def test_a_writer_that_dies_in_the_middle_frees_the_others(start: Start) -> None:
    """The kernel drops a dead writer's lock, and half a transaction is none."""
    writer, other = start(), start()
    writer.tell("stop_inside_write")
    writer.wait_until_stopped()
    writer.kill()
    assert other.ask("take") is not None
