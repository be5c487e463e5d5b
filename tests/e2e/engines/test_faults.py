"""Faults, one after the other, on three workers that guard the same bots; then their history is judged.

The short version has a few of each kind, `make soak ENGINE=redis` at least 2,000 cycles: a cycle is one fault
on one claim (`nemesis`). The file store has no connections and no server to break: its run has the faults of
processes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from onepoller.coordination.identity import boot_clock
from tests.e2e.engines import verdicts
from tests.e2e.engines.crew import Crew
from tests.e2e.engines.engine_kinds import ENGINES, TRUSTING, Engine
from tests.e2e.engines.history import History
from tests.e2e.engines.nemesis import GRACE, Nemesis
from tests.e2e.engines.servers import Require

pytestmark = pytest.mark.slow
SEED = 20
EVERY = 0.5
"""Seconds between two messages to a bot."""
WORKERS = ("a", "b", "c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a run is."""

    bots: int
    strikes: int = 0
    cycles: int = 0


SHORT = pytest.param(Length(bots=50, strikes=9), id="short", marks=pytest.mark.timeout(120))
LONG = pytest.param(
    Length(bots=60, cycles=2000), id="long", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]
)


@pytest.fixture
def own_report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Give what prints a line past pytest: a soak's numbers are what it is run for."""

    def report(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return report


def play(crew: Crew, nemesis: Nemesis, length: Length, report: Callable[[str], None]) -> History:
    """Start everybody, strike, let everything be delivered, and judge; the history is a good one."""
    for name in WORKERS:
        crew.start(name)
    crew.wait_served()
    start = boot_clock()
    while len(nemesis.strikes) < length.strikes or nemesis.cycles(crew.history()).total() < length.cycles:
        nemesis.strike()
    end = boot_clock()
    made = crew.finish()
    for name in WORKERS:
        crew.end(name)
    history = crew.history()
    cycles = nemesis.cycles(history)
    if length.cycles:
        report(
            f"{len(nemesis.strikes)} strikes, {cycles.total()} cycles in {end - start:.0f} s: {dict(cycles)}"
        )
        report(f"{len(history.grants)} grants, {len(history.deliveries)} deliveries")
    deaf = verdicts.deaf_times(
        history, bots=made, between=(start, end), bound=2 * crew.lease + GRACE, excused=nemesis.excused()
    )
    assert verdicts.overlaps(history) == []
    assert verdicts.stale_deliveries(history) == []
    assert verdicts.shrunken_terms(history) == []
    assert verdicts.doubled_updates(history) == []
    assert verdicts.lost_updates(history, made=made) == []
    assert deaf == []
    return history


@pytest.mark.parametrize("length", [SHORT, LONG])
@pytest.mark.parametrize("engine", [*ENGINES, TRUSTING], ids=lambda engine: engine.name)
def test_no_fault_of_an_engine_makes_two_deliver(
    require_program: Require,
    own_report: Callable[[str], None],
    tmp_path: Path,
    engine: Engine,
    length: Length,
) -> None:
    """Never two at once, terms only grow, nothing is lost, nobody is deaf for long, whatever fails."""
    with ExitStack() as stack:
        server = engine.make(require_program, tmp_path / "server").start()
        stack.callback(server.close)
        crew = stack.enter_context(
            Crew(
                tmp_path,
                url=lambda port: engine.url(server, port),
                port=server.port,
                lease=engine.lease,
                bots=length.bots,
                every=EVERY,
            )
        )
        nemesis = Nemesis(crew, seed=SEED, server=server, losses=engine.losses, spared=engine.spared)
        play(crew, nemesis, length, own_report)


@pytest.mark.parametrize("length", [SHORT, LONG])
def test_no_fault_of_a_process_makes_two_deliver_with_the_file_store(
    own_report: Callable[[str], None], tmp_path: Path, length: Length
) -> None:
    """The same, on one host and without a server."""
    state = tmp_path / "state"
    with Crew(
        tmp_path, url=lambda _: f"file://{state}", port=0, lease=2.0, bots=length.bots, every=EVERY
    ) as crew:
        play(crew, Nemesis(crew, seed=SEED), length, own_report)
