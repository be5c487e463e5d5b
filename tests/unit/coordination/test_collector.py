"""The garbage collector while a fleet changes hands."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from onepoller.coordination.collector import FLEET, Hold, uncollected


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()


def test_it_is_held_back_for_a_fleet() -> None:
    """And goes on afterwards, whatever happened."""
    seen: list[bool] = []

    def deal() -> None:
        with uncollected(FLEET):
            seen.append(gc.isenabled())
            raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        deal()
    assert (seen, gc.isenabled()) == ([False], True)


def test_a_few_bots_leave_it_alone() -> None:
    """They are over before it is due."""
    with uncollected(FLEET - 1):
        assert gc.isenabled()


def test_where_the_program_has_switched_it_off_it_stays_off() -> None:
    """It is the program's."""
    gc.disable()
    with uncollected(FLEET):
        pass
    assert not gc.isenabled()


def test_a_child_that_is_forked_meanwhile_has_it() -> None:
    """Its parent's block never ends there, and a block of its own does."""
    program = (
        "import gc, os\n"
        "from onepoller.coordination.collector import FLEET, Hold, uncollected\n"
        "with uncollected(FLEET):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        seen = [gc.isenabled()]\n"
        "        own = Hold()\n"
        "        seen.append(gc.isenabled())\n"
        "        own.end()\n"
        "        os._exit([*seen, gc.isenabled()] != [True, False, True])\n"
        "    print(os.waitpid(child, 0)[1], gc.isenabled())\n"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert said == "0 False\n"


def test_holds_overlap() -> None:
    """The last one to end lets it go on; one that ends twice takes nothing from another."""
    first, second = Hold(), Hold()
    first.end()
    first.end()
    assert not gc.isenabled()
    second.end()
    assert gc.isenabled()


def test_what_came_while_a_fleet_started_is_looked_at_once() -> None:
    """All of it is in the oldest generation afterwards."""
    young: list[int] = []
    hold = Hold(collect=True)
    kept = [[number] for number in range(2000)]
    young.append(gc.get_count()[0])
    hold.end()
    young.append(gc.get_count()[0])
    assert young[0] >= len(kept) > young[1]
