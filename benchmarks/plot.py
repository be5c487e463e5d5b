"""The results as one picture, from a results file. The same file gives the same bytes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt  # after the choice of what draws
from matplotlib.axes import Axes  # as above

OURS = "#1f6feb"
OTHERS = {"flock": "#57606a", "filelock": "#bf8700", "portalocker": "#8250df", "fasteners": "#cf222e"}
BAR: dict[str, Any] = {"color": "#1a7f37", "linestyle": "--", "linewidth": 1}


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Write the picture of what a results file holds; a part that was not measured stays empty."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "onepoller", "font.size": 9})
    figure, axes = plt.subplots(3, 2, figsize=(10, 11), layout="constrained")
    for axis, (name, panel) in zip(axes.flat, PANELS.items(), strict=True):
        axis.spines[["top", "right"]].set_visible(False)
        if name in results["benchmarks"]:
            panel(axis, results["benchmarks"][name]["measured"])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def steps(samples: Sequence[float]) -> tuple[list[float], list[float]]:
    """Samples in order, and the share of all that each has reached, in percent."""
    ordered = sorted(samples)
    return ordered, [100 * (place + 1) / len(ordered) for place in range(len(ordered))]


def _distributions(axis: Axes, measured: Mapping[str, Any], samples: str) -> None:
    for how, of in measured.items():
        is_ours = how == "onepoller"
        colour = OURS if is_ours else OTHERS[how]
        axis.plot(*steps(of[samples]), label=how, color=colour, linewidth=2.5 if is_ours else 1.2)
    axis.set(xscale="log", xlabel="milliseconds after SIGKILL", ylabel="% of runs", ylim=(0, 101))
    axis.grid(visible=True, which="both", alpha=0.2)
    axis.legend(frameon=False)


def _claim(axis: Axes, measured: Mapping[str, Any]) -> None:
    axis.set_title("A claim has a new holder (holder of 9 MB)")
    _distributions(axis, measured, "claim_ms")


def _takeover(axis: Axes, measured: Mapping[str, Any]) -> None:
    axis.set_title("The next getUpdates arrives (bot of 60 MB)")
    _distributions(axis, measured, "poll_ms")


def _per_poll(axis: Axes, measured: Mapping[str, Any]) -> None:
    names = list(measured)
    added = [measured[name]["added"] for name in names]
    bars = axis.barh([name.replace(", ", "\n") for name in names], added, color=OURS, height=0.5)
    axis.bar_label(bars, labels=[f" {value:.0f}" for value in added])
    axis.axvline(100, **BAR)
    axis.invert_yaxis()
    axis.set(title="Added to a poll", xlabel="microseconds")


def _fleet(axis: Axes, measured: Mapping[str, Any]) -> None:
    sizes = sorted(map(int, measured))
    for what, label, colour in (
        ("claim_ms", "start: all claimed", OTHERS["flock"]),
        ("claims_taken_ms", "after SIGKILL: all claimed", OURS),
        ("takeover_ms", "after SIGKILL: all polling", OTHERS["filelock"]),
    ):
        values = [statistics.median(measured[str(size)][what]) for size in sizes]
        axis.plot(sizes, values, marker="o", label=label, color=colour)
    axis.axhline(1000, **BAR)
    axis.axhline(300, **BAR)
    axis.set(
        title="Many bots in one process", xscale="log", yscale="log", xlabel="bots", ylabel="milliseconds"
    )
    axis.grid(visible=True, alpha=0.2)
    axis.legend(frameon=False)


def _engines(axis: Axes, measured: Mapping[str, Any]) -> None:
    here = {how: of for how, of in measured.items() if "missing" not in of}
    for what, label, colour in (
        ("handover_ms", "handed over", OURS),
        ("killed_ms", "killed", OTHERS["filelock"]),
        ("frozen_ms", "frozen", OTHERS["fasteners"]),
    ):
        dots = [(ms, row) for row, of in enumerate(here.values()) for ms in of[what] if ms]
        axis.plot(*zip(*dots, strict=True), "o", label=label, color=colour, markersize=4, alpha=0.4)
    axis.set_yticks(range(len(here)), here)
    axis.invert_yaxis()
    axis.set(title="No poll open, stores on servers", xscale="log", xlabel="milliseconds")
    axis.grid(visible=True, axis="x", alpha=0.2)
    axis.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12))


def _engine_fleet(axis: Axes, measured: Mapping[str, Any]) -> None:
    here = {how: of for how, of in measured.items() if "missing" not in of}
    for size, label, colour, shift in (("one", "1 bot", OTHERS["flock"], -0.2), ("many", "all", OURS, 0.2)):
        counts = [of["a_minute"][size] for of in here.values()]
        places = [row + shift for row in range(len(here))]
        bars = axis.barh(places, counts, height=0.38, color=colour, label=label)
        axis.bar_label(bars, labels=[f" {count:.0f}" for count in counts])
    names = [f"{how}\n{of['bots']:,} bots" for how, of in here.items()]
    axis.set_yticks(range(len(here)), names)
    axis.invert_yaxis()
    axis.set(title="A server's work while nothing happens", xlabel="commands a minute")
    axis.legend(frameon=False)


PANELS = {
    "claim": _claim,
    "takeover": _takeover,
    "per_poll": _per_poll,
    "fleet": _fleet,
    "engines": _engines,
    "engine_fleet": _engine_fleet,
}
