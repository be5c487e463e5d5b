"""The guards of the layout guard: what they forbid, planted into a copy of the tree, is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("adapters", "coordination", "metrics", "src", "tests")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of everything that the guards look at, links kept."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for part in PARTS:
        shutil.copytree(
            ROOT / part,
            copy / part,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache"),
        )
    return copy


@pytest.fixture
def planted(tree: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Plant a file that consists of one import, and take it out again."""
    place, line = request.param
    path = tree / place / "planted.py"
    path.write_text(f'"""Planted."""\n\n{line}\n', encoding="utf-8")
    yield path.relative_to(tree)
    path.unlink()


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment on the copy."""
    program = Path(sys.executable).with_name(command[0])
    environment = {**os.environ, "PYTHONPATH": "src", "COLUMNS": "200"}
    return subprocess.run(
        [program, *command[1:]], cwd=tree, env=environment, capture_output=True, check=False, text=True
    )


@pytest.mark.parametrize(
    "planted",
    [(place, "import os") for place in ("adapters", "coordination", "metrics", "src/onepoller", "tests")],
    indirect=True,
)
def test_an_unused_import_is_found_in_every_room(tree: Path, planted: Path) -> None:
    """`ruff check .` reads the rooms, although it follows no links."""
    result = run(tree, "ruff", "check", "--no-cache", "--output-format", "concise", ".")

    assert f"{planted}:3:8: F401" in result.stdout
    assert result.returncode == 1


@pytest.mark.parametrize(
    "planted",
    [("adapters", f"import {room}") for room in ("adapters", "coordination", "metrics")],
    indirect=True,
)
def test_a_room_under_its_bare_name_is_banned(tree: Path, planted: Path) -> None:
    """`import coordination` works from the root and nowhere else, so it is refused."""
    result = run(tree, "ruff", "check", "--no-cache", "--output-format", "concise", ".")

    assert f"{planted}:3:8: TID251" in result.stdout


@pytest.mark.parametrize(
    ("planted", "chain"),
    [
        pytest.param(
            ("coordination/stores", "import onepoller.metrics"),
            "onepoller.coordination.stores.planted -> onepoller.metrics (l.3)",
            id="coordination knows no metrics",
        ),
        pytest.param(
            ("metrics", "import onepoller.adapters"),
            "onepoller.metrics.planted -> onepoller.adapters (l.3)",
            id="metrics know no adapter",
        ),
        pytest.param(
            ("adapters", "import onepoller.metrics"),
            "onepoller.adapters.planted -> onepoller.metrics (l.3)",
            id="adapters know no metrics",
        ),
        pytest.param(
            ("coordination/stores", "import telegram"),
            "onepoller.coordination.stores.planted -> telegram (l.3)",
            id="coordination knows no framework",
        ),
    ],
    indirect=["planted"],
)
def test_an_import_that_goes_up_breaks_a_contract(tree: Path, planted: Path, chain: str) -> None:
    """`lint-imports` names the line that went up."""
    del planted
    result = run(tree, "lint-imports", "--no-logo", "--no-cache")

    assert chain in result.stdout
    assert result.returncode == 1
