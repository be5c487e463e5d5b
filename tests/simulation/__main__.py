"""`python -m tests.simulation`: many runs as a table and a picture, or one run as a timeline."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.simulation.plot import draw
from tests.simulation.pool import outcomes
from tests.simulation.runs import Key, keys, played
from tests.simulation.scenarios import POLICIES, SCENARIOS
from tests.simulation.stage import MODELS
from tests.simulation.table import COLUMNS, table
from tests.simulation.timeline import lines

PICTURE = Path("build/simulation.svg")
SHOWN = 20
"""So many broken runs are listed."""


def main() -> int:
    """Run; the exit code is 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many runs, over all that is chosen")
    parser.add_argument(
        "--first", type=int, default=0, help="the seed of the first of them: others than usual"
    )
    parser.add_argument("--seed", type=int, help="one run, shown as a timeline")
    parser.add_argument("--scenario", choices=SCENARIOS, default="")
    parser.add_argument("--policy", choices=POLICIES, default="")
    parser.add_argument("--model", choices=MODELS, default="", help="how the server treats a newcomer")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the SVG goes")
    chosen = parser.parse_args()
    if chosen.seed is None:
        return _many(chosen)
    if not chosen.scenario:
        parser.error("--seed needs --scenario")
    policy = chosen.policy or SCENARIOS[chosen.scenario].policies[0]
    return _one(
        Key(scenario=chosen.scenario, policy=policy, model=chosen.model or "published", seed=chosen.seed)
    )


def _many(chosen: argparse.Namespace) -> int:
    console = Console(width=max(Console().width, 190))
    started = time.monotonic()
    wanted = keys(
        chosen.seeds,
        first=chosen.first,
        scenario=chosen.scenario,
        policy=chosen.policy,
        model=chosen.model,
    )
    if not wanted:
        console.print("No scenario is played with this policy.")
        return 2
    progress = Console(stderr=True)
    found = list(track(outcomes(wanted), total=len(wanted), console=progress, transient=True, description=""))
    console.print(table(found))
    console.print("; ".join(f"{name}: {meaning}" for name, meaning in COLUMNS), style="dim")
    draw(found, chosen.picture)
    console.print(f"{time.monotonic() - started:.0f} s; the picture is {chosen.picture}")
    broken = [outcome for outcome in found if outcome.breaches]
    for outcome in broken[:SHOWN]:
        console.print(f"[red]{outcome.breaches[0]}[/red]\n  python -m tests.simulation {outcome.key.options}")
    if len(broken) > SHOWN:
        console.print(f"and {len(broken) - SHOWN} more")
    return 1 if broken else 0


def _one(key: Key) -> int:
    with played(key) as (stage, rows, found):
        for line in lines(stage, rows):
            print(line)
        for sentence in found:
            print(f"BROKEN: {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
