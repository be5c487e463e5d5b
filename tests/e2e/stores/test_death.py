"""Processes that die, and what the others hear and prove."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from onepoller.coordination.stores.file.observer import Observer

pytestmark = pytest.mark.slow
Start = Callable[..., Any]


def test_the_death_of_a_holder_wakes_a_standby(start: Start) -> None:
    """SIGKILL: a standby that never looks by itself is told whose session it is, and may take over."""
    holder, standby = start(), start(slow_look=60)
    holder.ask("take")
    standby.ask("watch")
    holder.kill()
    assert standby.heard()["change"] == holder.id
    assert standby.ask("take", holder.id) is not None


def test_a_death_is_proved_without_waiting_for_the_lease(start: Start) -> None:
    """With a lease of an hour a dead process's claim is free at once."""
    holder, standby = start(lease=3600), start(lease=3600)
    holder.ask("take")
    holder.kill()
    assert standby.ask("take", holder.id) is not None


def test_observers_do_not_take_each_other_for_the_holder(start: Start, tmp_path: Path) -> None:
    """Four that probe a dead session at once, all the time, never see it alive: probes are shared."""
    holder = start()
    holder.kill()
    observer = Observer(tmp_path / "state" / "sessions", monotonic=lambda: 0.0)

    def probe(_: int) -> int:
        return sum(not observer.has_ended(holder.id) for _ in range(2000))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(probe, range(4))) == 0


def test_who_is_woken_sees_the_transfer(start: Start) -> None:
    """Fifty transfers: an heir that never looks by itself reads its own name at each wake-up."""
    holder, heir = start(), start(slow_look=60)
    heir.ask("watch")
    seen = []
    for _ in range(50):
        holder.ask("take")
        holder.ask("give", heir.id)
        seen.append(heir.heard()["heir"])
    assert seen == [heir.id] * 50


def test_a_clean_end_wakes_everybody(start: Start) -> None:
    """Close: all who watch hear of it, also those who never look by themselves."""
    holder, first, second = start(), start(slow_look=60), start(slow_look=60)
    holder.ask("take")
    first.ask("watch")
    second.ask("watch")
    holder.ask("close")
    heard = {first.heard()["change"], second.heard()["change"]}
    assert heard == {holder.id}
