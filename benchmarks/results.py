"""Results as a file, as a table and as a page. Nothing in them names the machine or its folders."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from judging import Bar, Rows, number


def facts(folder: Path) -> dict[str, Any]:
    """What the numbers depend on, of this machine; `folder`: where the store's directories are made."""
    release = re.match(r"\d+\.\d+", platform.release())
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "kernel": release.group() if release else "",
        "processors": os.cpu_count(),
        "file_system": _file_system(folder),
    }


def _file_system(folder: Path) -> str:
    """The type of the mount that holds a folder; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    mounts = [line.split()[1:3] for line in lines]
    above = [(place, kind) for place, kind in mounts if folder.resolve().is_relative_to(place)]
    return max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]


def bars_as_json(bars: Iterable[Bar]) -> list[dict[str, Any]]:
    """The bars as plain data."""
    return [
        {
            "name": bar.name,
            "wanted": bar.wanted,
            "measured": bar.measured,
            "unit": bar.unit,
            "met": bar.is_met,
        }
        for bar in bars
    ]


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write the file: a line for each list of samples, so that it can be read and compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1)
    short = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found.group()), text)
    path.write_text(short + "\n", encoding="utf-8")


def bars_table(bars: Sequence[Mapping[str, Any]]) -> Rows:
    """The bars of a results file as rows."""
    rows: Rows = [("bar", "wanted", "measured", "ok")]
    for bar in bars:
        measured = f"{number(bar['measured'])} {bar['unit']}"
        rows.append((bar["name"], bar["wanted"], measured, "yes" if bar["met"] else "**no**"))
    return rows


def plain(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table of a page."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    line = "|".join(["---", *["---:"] * (len(rows[0]) - 1)])
    return "\n".join([head, f"|{line}|", *body])


def conditions(results: Mapping[str, Any]) -> str:
    """One sentence: under what conditions these numbers were measured."""
    about = results["facts"]
    loads = [of["load"] for of in results["benchmarks"].values()]
    return (
        f"Python {about['python']}, {about['system']} {about['kernel']}, {about['processors']} processors, "
        f"store on {about['file_system']}; load average before the parts: "
        f"{', '.join(f'{load:.2f}' for load in loads)}; {results['scale']} run, seed {results['seed']}."
    )


def page_parts(results: Mapping[str, Any], tables: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    """What docs/benchmarks.md says of a run."""
    return [conditions(results), markdown(bars_table(results["bars"])), *map(markdown, tables)]


def fill(page: str, place: str, parts: Sequence[str]) -> str:
    """The page with these parts between the two marks of that place. Raises ValueError where it has none."""
    begin, end = f"<!-- {place}: written by benchmarks/run.py -->", f"<!-- end of {place} -->"
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"the page has no place for {place}")
    return f"{before}{begin}\n\n" + "\n\n".join(parts) + f"\n\n{end}{after}"
