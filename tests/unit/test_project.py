"""The layout: three rooms under one name, a face that loads nothing heavy, one command for each thing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import onepoller

ROOT = Path(__file__).parents[2]
ROOMS = ("adapters", "coordination", "metrics")


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_linked_relatively_into_the_package(room: str) -> None:
    """A relative link survives a clone to another place."""
    link = ROOT / "src" / "onepoller" / room

    assert Path("../..", room) == link.readlink()
    assert (link / "__init__.py").is_file()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_no_second_name(room: str) -> None:
    """Under its bare name a room would be a second copy of its modules."""
    with pytest.raises(ModuleNotFoundError):
        __import__(room)


def test_importing_onepoller_loads_no_framework_and_no_engine_client() -> None:
    """A bot pays for its own framework only."""
    heavy = {"aiogram", "asyncpg", "grpc", "kubernetes", "redis", "telebot", "telegram"}
    program = "import json, sys, onepoller; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    loaded = set(json.loads(answer.stdout))

    assert "onepoller" in loaded
    assert set() == heavy & loaded


def imported(path: Path) -> set[str]:
    """List the top-level names of the foreign packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_coordination_imports_the_standard_library_alone() -> None:
    """Only a store's own file may import more: the client of what it stores in."""
    room = ROOT / "coordination"
    strangers = {
        str(path.relative_to(room)): names
        for path in sorted(room.rglob("*.py"))
        if path.relative_to(room).parts[0] != "stores" and (names := imported(path) - {"onepoller"})
    }

    assert strangers == {}


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers ignore the annotations of a package without py.typed."""
    assert Path(onepoller.__file__).with_name("py.typed").is_file()


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_names_the_command(command: str) -> None:
    """The first two things that a reader does are spelt out."""
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_tests_as_the_readme_does() -> None:
    """What CI runs is what a reader runs, with the servers required."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()

    assert "ONEPOLLER_REQUIRE_SERVERS=1 make test" in lines
