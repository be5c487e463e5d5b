"""The catalogue: rules of names and labels, and the documentation's agreement with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onepoller.coordination.conflict import Kind
from onepoller.metrics.catalogue import METRICS, RESOLUTIONS, Level, Metric, Type

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
RESERVED = {"type", "region", "zone", "cluster", "owner", "stage", "service", "env", "job", "instance"}


def row(metric: Metric) -> str:
    """Give a metric as a row of the documentation's tables."""
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    return f"| `{metric.name}` | {metric.type} | {metric.unit or '-'} | {labels} | {metric.meaning} |"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric: Metric) -> None:
    """One prefix, `_total` for counters and nothing else, the unit at the end, no label of the target's."""
    bare = metric.name.removesuffix("_total").removesuffix("_info")

    assert re.fullmatch(r"onepoller_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)
    assert metric.name.endswith("_info") == (metric.type is Type.INFO)
    assert bare.endswith(metric.unit)
    assert not RESERVED & set(metric.labels)


def test_names_are_unique() -> None:
    """Two families of one name would be one."""
    names = [metric.name for metric in METRICS]

    assert sorted(set(names)) == sorted(names)


def test_a_bot_is_never_crossed_with_an_open_set() -> None:
    """A bot costs a fixed number of series: only the states of its role and its problems stand beside it."""
    crossed = {metric.name for metric in METRICS if "bot_id" in metric.labels and len(metric.labels) > 1}

    assert crossed == {"onepoller_bot_role", "onepoller_bot_problem"}
    assert not [m.name for m in METRICS if m.level is Level.PROCESS and "bot_id" in m.labels]


def test_every_kind_that_is_an_episode_can_end() -> None:
    """A ghost is no episode."""
    assert set(Kind) - set(RESOLUTIONS) == {Kind.GHOST}


def test_every_metric_is_documented_as_it_is() -> None:
    """Every row agrees with the catalogue, in its order, and no others stand."""
    documented = [
        line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `onepoller_")
    ]

    assert documented == [row(metric) for level in Level for metric in METRICS if metric.level is level]


@pytest.mark.parametrize(
    "metric", [metric for metric in METRICS if metric.labels], ids=lambda metric: metric.name
)
def test_every_label_value_is_documented(metric: Metric) -> None:
    """The closed sets are written down."""
    text = DOCS.read_text(encoding="utf-8")
    missing = [value for labels in metric.values for value in labels if f"`{value}`" not in text]

    assert missing == []
