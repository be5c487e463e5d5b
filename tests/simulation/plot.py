"""The distributions as one picture: how soon there is one poller, and how much a rival leaves to us.

Plain SVG: a share of all runs upwards, the figure to the right. The same outcomes give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from tests.simulation.runs import Outcome
from tests.simulation.table import values

COLOURS = {"auto": "#1f6feb", "hold": "#1a7f37", "yield": "#bf8700", "exit": "#8250df"}
DASHES = {"published": "", "newcomer_refused": "4 3"}
WIDTH, HEIGHT, GAP, TOP, LEFT = 300, 180, 90, 50, 50


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the picture."""
    panels = (
        ("One poller of several without a store, seconds", "convergence", "two_without_store", 120.0),
        ("The rival has gone: back, seconds", "back", "rival_", 60.0),
        ("Messages kept beside a rival, %", "share", "rival_", 100.0),
        ("A message's longest wait, two without a store, seconds", "waited", "two_without_store", 60.0),
    )
    body = [line for place, panel in enumerate(panels) for line in _panel(outcomes, place, panel)]
    width, height = 2 * (WIDTH + GAP) + LEFT, 2 * (HEIGHT + GAP) + TOP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11" fill="#24292f">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, ground, *_legend(), *body, "</svg>"]) + "\n", encoding="utf-8")


def _legend() -> Iterator[str]:
    x = LEFT
    for policy, colour in COLOURS.items():
        for model, dashes in DASHES.items():
            yield f'<line x1="{x}" x2="{x + 18}" y1="14" y2="14" {_pen(colour, dashes)}/>'
            yield f'<text x="{x + 22}" y="18" font-size="9">{policy}, {model.replace("_", " ")}</text>'
            x += 50 + 5 * (len(policy) + len(model))
    yield ""


def _pen(colour: str, dashes: str) -> str:
    return f'stroke="{colour}" fill="none" stroke-width="1.8" stroke-dasharray="{dashes}"'


def _panel(outcomes: Sequence[Outcome], place: int, panel: tuple[str, str, str, float]) -> Iterator[str]:
    title, figure, scenario, most = panel
    left, top = LEFT + place % 2 * (WIDTH + GAP), TOP + place // 2 * (HEIGHT + GAP)
    yield f'<text x="{left}" y="{top - 8}" font-weight="bold">{escape(title)}</text>'
    for share in (0, 50, 100):
        y = top + HEIGHT * (1 - share / 100)
        yield f'<line x1="{left}" x2="{left + WIDTH}" y1="{y}" y2="{y}" stroke="#d0d7de"/>'
        yield f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{share}%</text>'
    for tick in range(5):
        x = left + WIDTH * tick / 4
        yield f'<text x="{x}" y="{top + HEIGHT + 16}" text-anchor="middle">{most * tick / 4:g}</text>'
    for policy, colour in COLOURS.items():
        for model, dashes in DASHES.items():
            of = [
                o
                for o in outcomes
                if (o.key.policy, o.key.model) == (policy, model) and o.key.scenario.startswith(scenario)
            ]
            numbers = sorted(values(of, figure))
            if numbers:
                yield f'<path d="{_steps(numbers, left, top, most)}" {_pen(colour, dashes)}/>'


def _steps(numbers: Sequence[float], left: int, top: int, most: float) -> str:
    """The share of all that each number has reached; what is beyond the edge is not drawn."""
    points = [f"M{left},{top + HEIGHT}"]
    for reached, number in enumerate(numbers, start=1):
        if math.isinf(number) or number > most:
            break
        points.append(
            f"H{left + WIDTH * number / most:.1f} V{top + HEIGHT * (1 - reached / len(numbers)):.1f}"
        )
    else:
        points.append(f"H{left + WIDTH}")
    return " ".join(points)
