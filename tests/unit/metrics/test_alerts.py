"""The alert rules: valid, documented, tested, and fit for every number of bots."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from onepoller.metrics.catalogue import METRICS, Level, Problem, Type

ROOT = Path(__file__).parents[3]
RULES: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "metrics" / "alerts" / "onepoller.yml").read_text(encoding="utf-8")
)["groups"][0]["rules"]
NAMES = [rule["alert"] for rule in RULES]
RUNBOOK = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
TESTS = yaml.safe_load((ROOT / "tests" / "e2e" / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
BOARD = json.loads((ROOT / "metrics" / "dashboards" / "onepoller.json").read_text(encoding="utf-8"))

each = pytest.mark.parametrize("rule", RULES, ids=NAMES)


@each
def test_a_rule_is_valid(rule: dict[str, Any]) -> None:
    """Its expression parses and type-checks."""
    promql_parser.parse(rule["expr"])


@each
def test_a_rule_says_how_grave_it_is_and_what_happened(rule: dict[str, Any]) -> None:
    """A summary that does not change, and a description with the case."""
    assert re.fullmatch(r"Onepoller[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"[A-Z][^{}]*\.", rule["annotations"]["summary"])
    assert "{{" in rule["annotations"]["description"]


@each
def test_a_rule_uses_only_what_every_process_exports(rule: dict[str, Any]) -> None:
    """A fleet that grows past the limit of detail must not lose its alerts."""
    known = {
        name
        for metric in METRICS
        if metric.level in (Level.PROCESS, Level.CORE)
        for name in (
            [f"{metric.name}_bucket", f"{metric.name}_count"]
            if metric.type is Type.HISTOGRAM
            else [metric.name]
        )
    }

    assert set(re.findall(r"onepoller_\w+", rule["expr"])) - known == set()


@each
def test_a_rule_asks_for_label_values_that_exist(rule: dict[str, Any]) -> None:
    """A misspelt problem would never fire."""
    problems = re.findall(r'problem="([^"]*)"', rule["expr"])
    bounds = re.findall(r'le="([^"]*)"', rule["expr"])
    all_bounds = {repr(bound) for metric in METRICS for bound in metric.buckets}

    assert set(problems) <= set(Problem)
    assert set(bounds) <= all_bounds


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    """In the same words."""
    pages = re.findall(r"^## (Onepoller\w+)$", RUNBOOK, re.MULTILINE)

    assert sorted(pages) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_its_four_parts(name: str) -> None:
    """What it means, what it does to users, how to find out, what to do."""
    page = RUNBOOK.partition(f"## {name}\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\*\*(\w+)\.\*\*", page, re.MULTILINE) == [
        "Meaning",
        "Impact",
        "Diagnosis",
        "Mitigation",
    ]


def test_the_pages_name_panels_that_exist() -> None:
    """The reader is sent to the dashboard."""
    titles = {panel["title"] for panel in BOARD["panels"]}
    named = {
        title
        for sentence in re.findall(r"[Pp]anels?\s+((?:\"[^\"]+\"(?:,\s|\sand\s|\s)?)+)", RUNBOOK)
        for title in re.findall(r'"([^"]+)"', sentence.replace("\n", " "))
    }

    assert "Who holds the claim" in named
    assert named - titles == set()


def test_every_rule_is_seen_to_fire() -> None:
    """By promtool, with the labels and the words that it should have."""
    fired = {
        case["alertname"] for test in TESTS for case in test.get("alert_rule_test", []) if case["exp_alerts"]
    }

    assert sorted(fired) == sorted(NAMES)
