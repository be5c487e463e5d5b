"""The table of many runs, by scenario, policy and model of the server."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tests.simulation.runs import Outcome

Kind = tuple[str, str, str]
COLUMNS = (
    ("runs", "how many"),
    ("broken", "runs in which a promise was broken"),
    ("converged s", "p50 / p99 / max; several without a shared store"),
    ("ours %", "of the messages while a rival was there, p50 / least"),
    ("back s", "after the rival had gone, p50 / max"),
    ("409s/h", "seen by ours, mean"),
    ("deaf s", "longest time without a poll of ours, p50 / max"),
    ("waited s", "longest wait of a message that no rival took, p50 / max"),
    ("req/min", "most of one process"),
    ("taken", "messages"),
    ("rep.", "given twice"),
    ("lost", "confirmed and given to nobody"),
)


def by_kind(outcomes: Sequence[Outcome]) -> dict[Kind, list[Outcome]]:
    """Outcomes by scenario, policy and model, in the order of their coming."""
    kinds: defaultdict[Kind, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.key.scenario, outcome.key.policy, outcome.key.model].append(outcome)
    return dict(kinds)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def values(outcomes: Sequence[Outcome], name: str) -> list[float]:
    """One figure of those runs that have it."""
    found = (getattr(outcome.figures, name) for outcome in outcomes)
    return [float(value) for value in found if value is not None]


def table(outcomes: Sequence[Outcome]) -> Table:
    """Draw it."""
    hours = sum(outcome.seconds for outcome in outcomes) / 3600
    made = Table(
        title=f"{len(outcomes)} runs, {hours:.1f} simulated hours", title_justify="left", box=SIMPLE_HEAD
    )
    for name in ("scenario", "policy", "server"):
        made.add_column(name, no_wrap=True)
    for name, _ in COLUMNS:
        made.add_column(name, justify="right", no_wrap=True)
    before = ""
    for (scenario, policy, model), of in by_kind(outcomes).items():
        made.add_row(scenario if scenario != before else "", policy, model, *_cells(of))
        before = scenario
    return made


def _cells(of: Sequence[Outcome]) -> list[str]:
    converged, share, back = values(of, "convergence"), values(of, "share"), values(of, "back")
    waited, deaf, conflicts = values(of, "waited"), values(of, "deaf"), values(of, "conflicts")
    broken = sum(bool(outcome.breaches) for outcome in of)
    return [
        str(len(of)),
        f"[red]{broken}[/red]" if broken else "0",
        _of(converged, 0.5, 0.99, 1.0),
        _of(share, 0.5, 0.0),
        _of(back, 0.5, 1.0),
        f"{sum(conflicts) / len(of):.0f}",
        _of(deaf, 0.5, 1.0),
        _of(waited, 0.5, 1.0),
        f"{max(values(of, 'requests')):.0f}",
        *(f"{sum(values(of, name)):.0f}" for name in ("taken", "repeated", "lost")),
    ]


def _of(numbers: Sequence[float], *shares: float) -> str:
    if not numbers:
        return ""
    found = (quantile(numbers, share) for share in shares)
    return " / ".join("never" if math.isinf(number) else f"{number:.1f}" for number in found)
