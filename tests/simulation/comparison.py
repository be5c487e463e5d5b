"""`python -m tests.simulation.comparison`: what people use, and onepoller, against the same rival, as tables.

With `--write` every fight is fought (about ten minutes of one core), its figures go into
`comparison.json`, and the tables into docs/comparison.md and README.md, between their marks. Without it a few
seeds are, and the tables are printed. The same seeds give the same figures; those of the guarded bots, which
run on asyncio, on the same Python.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.simulation.fights import CONTENDERS, Figures, Setting, fight

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_suffix(".json")
PAGE, README = ROOT / "docs" / "comparison.md", ROOT / "README.md"
BEGIN, END = "<!-- comparison: written by tests/simulation/comparison.py -->", "<!-- end of comparison -->"
SEEDS = 10
SETTINGS = {
    "busy": Setting(),
    "quiet": Setting(every=60.0),
    "second": Setting(is_first=False),
    "ptb": Setting(rival="ptb"),
}
TITLES = {
    "busy": "Two messages a second; the rival is aiogram; our bot was there first",
    "quiet": "The same with one message a minute",
    "second": "Two messages a second; the rival is aiogram, and was there first",
    "ptb": "Two messages a second; the rival is python-telegram-bot; our bot was there first",
}
HEAD = ("", "kept, %", "deaf, s", "409s", "given twice", "destroyed", "log lines", "back, s")
SHORT = (
    "python-telegram-bot",
    "aiogram",
    "sleep 35 s",
    "five tries, then fatal",
    "exit and restart",
    "onepoller auto",
)
"""Those of the README."""

Fight = tuple[str, str, int]
Found = dict[str, dict[str, list[Figures]]]
"""By setting and contender, in the order of the seeds."""
Rows = list[tuple[str, ...]]


def fought(key: Fight) -> Figures:
    """Fight one of them."""
    setting, contender, seed = key
    return fight(SETTINGS[setting], contender, seed)


def all_fought(seeds: int) -> Found:
    """Fight all of them, in as many processes as there are cores."""
    keys: list[Fight] = [(s, c, seed) for s in SETTINGS for c in CONTENDERS for seed in range(seeds)]
    # Spawned, not forked: the caller may have threads.
    with multiprocessing.get_context("spawn").Pool() as pool:
        progress = Console(stderr=True)
        came = track(
            pool.imap(fought, keys), total=len(keys), console=progress, transient=True, description=""
        )
        return collected(zip(keys, came, strict=True))


def collected(fights: Iterable[tuple[Fight, Figures]]) -> Found:
    """Sort figures in."""
    found: Found = {}
    for (setting, contender, _), figures in fights:
        found.setdefault(setting, {}).setdefault(contender, []).append(figures)
    return found


# The file


def as_text(found: Found) -> str:
    """A line for each contender in each setting, so that it can be read and compared."""
    parts = []
    for setting, contenders in found.items():
        lines = [
            f"  {json.dumps(name)}: {json.dumps([astuple(f) for f in of])}" for name, of in contenders.items()
        ]
        parts.append(f" {json.dumps(setting)}: {{\n" + ",\n".join(lines) + "\n }")
    return f'{{\n "python": "{python()}",\n' + ",\n".join(parts) + "\n}\n"


def from_text(text: str) -> tuple[str, Found]:
    """Read it; gives the version of Python that wrote it, too."""
    loaded: dict[str, Any] = json.loads(text)
    wrote = str(loaded.pop("python"))
    found = {
        setting: {name: [_figures(row) for row in rows] for name, rows in contenders.items()}
        for setting, contenders in loaded.items()
    }
    return wrote, found


def _figures(row: Sequence[Any]) -> Figures:
    return Figures(**dict(zip(Figures.__slots__, row, strict=True)))


def python() -> str:
    """The version that matters."""
    return ".".join(platform.python_version_tuple()[:2])


# The pages


def whole(found: Found) -> str:
    """Every table, as it stands in the docs."""
    parts = [f"### {TITLES[setting]}\n\n{_markdown(_rows(found[setting]))}" for setting in found]
    return "\n\n".join(parts)


def short(found: Found) -> str:
    """The table of the README."""
    busy, quiet = found["busy"], found["quiet"]
    rows: Rows = [("", "messages kept", "longest deaf", "log lines", "back, at worst")]
    for name in SHORT:
        kept, lines = (
            ", ".join(f"{_middle(of[name], field):,.0f}{unit}" for of in (busy, quiet))
            for field, unit in (("share", " %"), ("lines", ""))
        )
        deaf = ", ".join(_seconds(_middle(of[name], "deaf")) for of in (busy, quiet))
        back = _seconds(max(value for of in (busy, quiet) for value in values(of[name], "back")))
        rows.append((f"**{name}**" if name.startswith("onepoller") else name, kept, deaf, lines, back))
    return _markdown(rows)


def filled(page: str, table: str) -> str:
    """A page with a table between its marks. Raises ValueError where it has none."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    page, count = pattern.subn(lambda _: f"{BEGIN}\n\n{table}\n\n{END}", page)
    if count != 1:
        raise ValueError("the page has no place for the comparison")
    return page


def pages(found: Found) -> dict[Path, str]:
    """Both pages, filled."""
    tables = {PAGE: whole(found), README: short(found)}
    return {path: filled(path.read_text(encoding="utf-8"), table) for path, table in tables.items()}


def _rows(contenders: Mapping[str, Sequence[Figures]]) -> Rows:
    rows: Rows = [HEAD]
    for name, of in contenders.items():
        counts = (_both(of, field, "{:.0f}") for field in ("conflicts", "repeated", "destroyed", "lines"))
        cells = (_both(of, "share", "{:.1f}", worst=min), _both(of, "deaf", "{:.0f}"), *counts)
        rows.append((name, *cells, _both(of, "back", "{:.1f}")))
    return rows


def _both(of: Sequence[Figures], field: str, form: str, worst: Any = max) -> str:
    """The median and the worst; one where they are told alike."""
    both = (_middle(of, field), worst(values(of, field)))
    told = ["never" if math.isinf(value) else form.format(value) for value in both]
    return told[0] if told[0] == told[1] else " / ".join(told)


def _middle(of: Sequence[Figures], field: str) -> float:
    return median(values(of, field))


def values(of: Sequence[Figures], field: str) -> list[float]:
    """One figure of all; infinity for never."""
    return [math.inf if (value := getattr(figures, field)) is None else float(value) for figures in of]


def _seconds(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.0f} min"


def _markdown(rows: Rows) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|---|{'---:|' * (len(rows[0]) - 1)}", *body])


def main() -> int:
    """Fight, print, and write where told to."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.comparison", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="fights of each kind; with --write always all")
    parser.add_argument("--write", action="store_true", help="change the pages")
    chosen = parser.parse_args()
    found = all_fought(SEEDS if chosen.write else chosen.seeds)
    print(whole(found), short(found), sep="\n\n")
    if chosen.write:
        FILE.write_text(as_text(found), encoding="utf-8")
        for path, text in pages(found).items():
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
