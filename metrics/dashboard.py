"""The Grafana dashboard, from a table of panels: `python -m onepoller.metrics.dashboard` writes its JSON.

Classic format (schemaVersion 42): file provisioning and import take it from Grafana 10 on. The file
`dashboards/onepoller.json` is made from here and committed; a test compares the two, others lint it and run
every query against a real Prometheus. It has not been looked at in a Grafana.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onepoller.metrics.panels import SELECTOR, WINDOW, Panel, Row, View
from onepoller.metrics.rows import ROWS

FILE = Path(__file__).with_name("dashboards") / "onepoller.json"
SCHEMA = 42
_COLUMNS = 24
_UNPLANNED = f'{SELECTOR},cause=~"died|fenced"'
_DATASOURCE = {"type": "prometheus", "uid": "$datasource"}
_RED_ABOVE = {
    "mode": "absolute",
    "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}],
}
_PLAIN = {"mode": "absolute", "steps": [{"color": "green", "value": None}]}
_HELD = [
    {
        "type": "value",
        "options": {"0": {"text": "not held", "color": "gray"}, "1": {"text": "holds it", "color": "green"}},
    }
]


def dashboard() -> dict[str, Any]:
    """Give the dashboard as JSON has it."""
    return {
        "uid": "onepoller",
        "title": "onepoller",
        "description": "Who polls which bot, conflicts and how they ended, and how well polling goes.",
        "tags": ["onepoller", "telegram"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_takeovers()]},
        "templating": {"list": _variables()},
        "panels": _placed(ROWS),
    }


def text() -> str:
    """Give the file's text."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _takeovers() -> dict[str, Any]:
    return {
        "name": "Takeovers",
        "enable": True,
        "iconColor": "orange",
        "datasource": _DATASOURCE,
        "expr": f"increase(onepoller_takeover_duration_seconds_count{{{_UNPLANNED}}}{WINDOW}) > 0",
        "titleFormat": "takeover on {{instance}}",
    }


def _variables() -> list[dict[str, Any]]:
    chosen = [
        ("job", "label_values(onepoller_bots, job)"),
        ("instance", 'label_values(onepoller_bots{job=~"$job"}, instance)'),
        ("bot_id", f"label_values(onepoller_claim_held{{{SELECTOR}}}, bot_id)"),
    ]
    source = {"name": "datasource", "label": "Data Source", "type": "datasource", "query": "prometheus"}
    return [
        source,
        *(
            {
                "name": name,
                "label": name,
                "type": "query",
                "datasource": _DATASOURCE,
                "query": {"query": query, "refId": name},
                "refresh": 2,
                "sort": 1,
                "multi": True,
                "includeAll": True,
                "allValue": ".+",
                "current": {"text": "All", "value": "$__all"},
            }
            for name, query in chosen
        ),
    ]


@dataclass(slots=True)
class _Place:
    """Where the next panel goes: left to right, then a new line."""

    x: int = 0
    y: int = 0
    line: int = 0

    def take(self, width: int, height: int) -> dict[str, int]:
        if self.x + width > _COLUMNS:
            self.x, self.y, self.line = 0, self.y + self.line, 0
        place = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.x += width
        self.line = max(self.line, height)
        return place


def _placed(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    place, placed = _Place(), []
    for row in rows:
        place.x = _COLUMNS
        title = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        placed.append({**title, "gridPos": place.take(_COLUMNS, 1)})
        placed.extend(
            {**_panel(panel), "gridPos": place.take(panel.width, panel.height)} for panel in row.panels
        )
    return [{"id": number, **panel} for number, panel in enumerate(placed, 1)]


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": _RED_ABOVE if panel.is_bad_above_zero else _PLAIN,
    }
    if panel.view is View.STATE:
        defaults["mappings"] = _HELD
    return {
        "type": str(panel.view),
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.view],
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _DATASOURCE,
                "editorMode": "code",
                "expr": query.expr,
                "legendFormat": query.legend,
                "range": panel.view is not View.TABLE,
                "instant": panel.view is View.TABLE,
                "format": {View.TABLE: "table", View.HEATMAP: "heatmap"}.get(panel.view, "time_series"),
            }
            for number, query in enumerate(panel.queries)
        ],
    }


_OPTIONS: dict[View, dict[str, Any]] = {
    View.STAT: {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"},
    View.SERIES: {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    View.STATE: {"mergeValues": True, "showValue": "never", "rowHeight": 0.8},
    View.HEATMAP: {"calculate": False},
    View.TABLE: {"showHeader": True},
}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
