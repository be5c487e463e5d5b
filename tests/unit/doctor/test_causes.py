"""docs/doctor.md has every cause, in the words of the command."""

from __future__ import annotations

import re
from pathlib import Path

from onepoller.cli.doctor.causes import ACCOUNTS, Cause

PAGE = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_the_table_of_causes_is_what_the_command_says() -> None:
    """Each cause is a row, in order, with its title."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    assert rows == [(str(cause), ACCOUNTS[cause].title) for cause in Cause]
