"""The dashboard: made from its table, by the rules of grafana/dashboard-linter, restated here."""

from __future__ import annotations

import json
import re
from typing import Any

import promql_parser
import pytest

from onepoller.metrics.catalogue import METRICS, Type
from onepoller.metrics.dashboard import FILE, text

BOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in PANELS
    for target in panel["targets"]
]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
UNITS = {"short", "none", "s", "percentunit", "reqps", "ops"}
COUNTERS = {metric.name for metric in METRICS if metric.type is Type.COUNTER}


def filled(expr: str) -> str:
    """Put values in for Grafana's variables."""
    expr = expr.replace("$__rate_interval", "5m").replace("$__range", "3h")
    return re.sub(r"\$\w+", ".+", expr)


def names(expr: str) -> set[str]:
    """Find the metrics that an expression uses, by the catalogue's names."""
    found = set(re.findall(r"\bonepoller_\w+", re.sub(r"\{[^}]*\}|\bby \([^)]*\)", "", expr)))
    histograms = {metric.name for metric in METRICS if metric.type is Type.HISTOGRAM}
    return {
        base if (base := re.sub(r"_(bucket|count|sum)$", "", name)) in histograms else name for name in found
    }


def test_the_file_is_what_its_table_makes() -> None:
    """After a change: `python -m onepoller.metrics.dashboard`."""
    assert FILE.read_text(encoding="utf-8") == text()


def test_it_is_of_the_format_that_grafana_provisions() -> None:
    """And nobody edits it in place."""
    assert (BOARD["schemaVersion"], BOARD["editable"], BOARD["uid"]) == (42, False, "onepoller")


def test_it_asks_for_one_data_source() -> None:
    """By the name and the label that everybody uses."""
    sources = [variable for variable in VARIABLES.values() if variable["type"] == "datasource"]

    assert [(source["name"], source["label"]) for source in sources] == [("datasource", "Data Source")]


@pytest.mark.parametrize("name", ["job", "instance", "bot_id"])
def test_a_variable_offers_many_and_all(name: str) -> None:
    """Labelled by its name, read anew when the time range changes."""
    variable = VARIABLES[name]

    assert variable["label"] == name
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")
    assert (variable["refresh"], variable["datasource"]["uid"]) == (2, "$datasource")


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    """On a grid of 24 columns."""
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """Title, description, a unit, a query, and the data source that was chosen."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    assert {part["datasource"]["uid"] for part in (panel, *panel["targets"])} == {"$datasource"}


def test_titles_are_unique() -> None:
    """The pages of the alerts name panels."""
    titles = [panel["title"] for panel in PANELS]

    assert sorted(set(titles)) == sorted(titles)


@pytest.mark.parametrize("expr", TARGETS)
def test_a_query_is_valid(expr: str) -> None:
    """Parsed and type-checked."""
    promql_parser.parse(filled(expr))


@pytest.mark.parametrize("expr", TARGETS)
def test_a_query_is_limited_to_what_was_chosen(expr: str) -> None:
    """Every selector names job and instance, and bot_id where there is one."""
    selectors = re.findall(
        r"onepoller_\w+(\{[^}]*\})?", re.sub(r"\bby \([^)]*\)|onepoller_bot_role=", "", expr)
    )

    assert selectors
    assert [s for s in selectors if 'job=~"$job",instance=~"$instance"' not in s] == []


@pytest.mark.parametrize("expr", TARGETS)
def test_a_counter_is_shown_as_a_rate(expr: str) -> None:
    """Over a window that follows the resolution, or the whole time shown."""
    for counter in names(expr) & COUNTERS:
        assert re.search(rf"(rate|increase)\({counter}\{{[^}}]*\}}\[\$__(rate_interval|range)\]\)", expr)
    assert set(re.findall(r"\[([^\]]*)\]", expr)) <= {"$__rate_interval", "$__range"}


def test_every_metric_of_the_catalogue_is_charted_and_no_other() -> None:
    """What nobody looks at need not be exported."""
    charted = set().union(*(names(target["expr"]) for panel in PANELS for target in panel["targets"]))

    assert charted == {metric.name for metric in METRICS}
