"""All benchmarks in one run: `make bench`, or `python benchmarks/run.py --quick`.

Prints a table of bars and the numbers behind them. A full run writes benchmarks/results/results.json, and
from it docs/benchmarks.svg and the tables in docs/benchmarks.md and README.md; a quick or partial one writes
only below build/benchmarks. A bar that is missed is no failure: the exit status is 1 only where a benchmark
could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import claim
import engine_fleet
import engines
import fleet
import handover
import headlines
import per_poll
import plot
import proxy
import results
import takeover
from judging import Rows
from scale import FULL, QUICK, Scale

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "benchmarks" / "results" / "results.json"
PICTURE = ROOT / "docs" / "benchmarks.svg"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
TRIED = ROOT / "build" / "benchmarks"
PARTS: dict[str, ModuleType] = {
    "claim": claim,
    "takeover": takeover,
    "handover": handover,
    "per_poll": per_poll,
    "fleet": fleet,
    "engines": engines,
    "engine_fleet": engine_fleet,
    "proxy": proxy,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them if none"
    )
    parser.add_argument("--quick", action="store_true", help="few runs, nothing is published")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    unknown = [name for name in given.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}")
    found, failed = measure(given.parts or list(PARTS), QUICK if given.quick else FULL, given.seed)
    show(found)
    if given.quick or given.parts or failed:
        results.write(TRIED / "results.json", found)
        plot.draw(found, TRIED / "benchmarks.svg")
    else:
        publish(found)
    for name in failed:
        print(f"The benchmark {name!r} could not be run.", file=sys.stderr)
    return 1 if failed else 0


def measure(parts: Sequence[str], scale: Scale, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Run parts one after another; the results, and the names of those that failed."""
    found: dict[str, Any] = {
        "scale": scale.name,
        "seed": seed,
        "facts": results.facts(Path(tempfile.gettempdir())),
        "bars": [],
        "benchmarks": {},
    }
    failed = []
    for name in parts:
        load, started = os.getloadavg()[0], time.monotonic()
        try:
            measured = PARTS[name].run(scale, seed)
        except Exception:  # noqa: BLE001  # whatever it is: the others are run all the same
            traceback.print_exc()
            failed.append(name)
            continue
        seconds = round(time.monotonic() - started, 1)
        print(f"{name}: {seconds:g} s, load average before it {load:.2f}", file=sys.stderr, flush=True)
        found["bars"] += results.bars_as_json(PARTS[name].bars(measured))
        found["benchmarks"][name] = {"seconds": seconds, "load": round(load, 2), "measured": measured}
    return found, failed


def tables(found: Mapping[str, Any]) -> list[Rows]:
    """The numbers behind the bars, a table for each part."""
    return [PARTS[name].table(of["measured"]) for name, of in found["benchmarks"].items()]


def show(found: Mapping[str, Any]) -> None:
    """Print everything."""
    if found["benchmarks"]:
        print(results.conditions(found))
    for rows in (results.bars_table(found["bars"]), *tables(found)):
        print("\n" + results.plain(rows))


def publish(found: Mapping[str, Any]) -> None:
    """Write the results file, and from what it says the picture and the pages."""
    results.write(PUBLISHED, found)
    stored = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    plot.draw(stored, PICTURE)
    for path, page in pages(stored).items():
        path.write_text(page, encoding="utf-8")


def pages(stored: Mapping[str, Any]) -> dict[Path, str]:
    """The pages that tell of a full run, with what its results file says."""
    said = {
        PAGE: ("results", results.page_parts(stored, tables(stored))),
        README: ("numbers", [results.markdown(headlines.rows(stored))]),
    }
    return {path: results.fill(path.read_text(encoding="utf-8"), *of) for path, of in said.items()}


if __name__ == "__main__":
    sys.exit(main())
