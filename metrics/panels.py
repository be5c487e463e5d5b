"""The words of the dashboard: queries, panels, rows, and short ways to make the usual ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SELECTOR = 'job=~"$job",instance=~"$instance"'
"""Every query is limited to the jobs and instances that were chosen."""
BOT = f'{SELECTOR},bot_id=~"$bot_id"'
WINDOW = "[$__rate_interval]"


class View(StrEnum):
    """How a panel shows its queries, by Grafana's names."""

    STAT = "stat"
    SERIES = "timeseries"
    STATE = "state-timeline"
    HEATMAP = "heatmap"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel."""

    title: str
    description: str
    queries: tuple[Query, ...]
    view: View = View.SERIES
    unit: str = "short"
    width: int = 8
    height: int = 8
    is_bad_above_zero: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A titled row."""

    title: str
    panels: tuple[Panel, ...]


def stat(title: str, expr: str, description: str, *, unit: str = "short", is_bad: bool = True) -> Panel:
    """Give one number; red above zero where that is bad."""
    return Panel(
        title=title,
        description=description,
        queries=(Query(expr),),
        view=View.STAT,
        unit=unit,
        width=4,
        height=4,
        is_bad_above_zero=is_bad,
    )


def series(title: str, expr: str, legend: str, description: str, *, unit: str = "short") -> Panel:
    """Give lines over time from one query."""
    return Panel(title=title, description=description, queries=(Query(expr, legend),), unit=unit)


def quantiles(title: str, metric: str, by: str, description: str) -> Panel:
    """Give the median and the 95th percentile of a histogram, by a label."""
    buckets = f"sum by (le, {by}) (rate({metric}_bucket{{{SELECTOR}}}{WINDOW}))"
    queries = tuple(
        Query(f"histogram_quantile({quantile}, {buckets})", f"p{quantile * 100:g} {{{{{by}}}}}")
        for quantile in (0.5, 0.95)
    )
    return Panel(title=title, description=description, queries=queries, unit="s")


def heatmap(title: str, metric: str, description: str) -> Panel:
    """Give every observation of a histogram."""
    expr = f"sum by (le) (increase({metric}_bucket{{{SELECTOR}}}{WINDOW}))"
    return Panel(title=title, description=description, queries=(Query(expr, "{{le}}"),), view=View.HEATMAP)


def lines(title: str, description: str, *queries: Query, unit: str = "short") -> Panel:
    """Give lines over time from several queries."""
    return Panel(title=title, description=description, queries=queries, unit=unit)


def table(title: str, description: str, *queries: Query, width: int = 8) -> Panel:
    """Give the values of now as a table."""
    return Panel(title=title, description=description, queries=queries, view=View.TABLE, width=width)


def states(title: str, description: str, query: Query) -> Panel:
    """Give a coloured bar over time for each series."""
    return Panel(title=title, description=description, queries=(query,), view=View.STATE, width=12)
