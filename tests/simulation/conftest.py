"""What caught each planted mistake, as a table below the tests."""

from __future__ import annotations

import pytest
from rich.console import Console

from tests.simulation.planted import table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show it, where such tests ran."""
    reports = (report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome))
    rows = [row for report in reports for name, row in report.user_properties if name == "planted"]
    if rows:
        Console(width=160).print(table(rows))
