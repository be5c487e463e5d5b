"""What `auto` promises of hosts that share no store, over many runs at the published server.

That no run breaks a promise is `test_simulation`'s: there too no message waits for longer than 20 s, and two
never contend for longer than 10 s once they had a minute.
"""

from __future__ import annotations

import pytest

from tests.simulation.runs import keys, run
from tests.simulation.table import quantile, values

pytestmark = pytest.mark.slow
RUNS = 100


def test_there_is_one_poller_within_a_minute() -> None:
    """In 99 of 100 runs, from the last start on: 2 or 3 hosts, idle or busy, with a backlog or without."""
    found = [run(key) for key in keys(RUNS, scenario="two_without_store", policy="auto", model="published")]

    assert quantile(values(found, "convergence"), 0.99) <= 60.0


def test_no_message_waits_after_a_death() -> None:
    """For longer than 20 s, whoever of 2 or 3 hosts dies, and whether it comes back or not."""
    found = [run(key) for key in keys(RUNS, scenario="incumbent_dies", policy="auto", model="published")]

    assert max(values(found, "waited")) <= 20.0
