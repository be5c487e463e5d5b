"""README and docs tell the truth: code, commands, variables, defaults, log lines and links exist."""

from __future__ import annotations

import ast
import importlib
import logging
import re
import time
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from onepoller import process
from onepoller.cli.app import app
from onepoller.coordination import events
from onepoller.coordination.events import Cause, Event
from onepoller.coordination.identity import BotId, Identity, Term
from onepoller.coordination.report import Role
from onepoller.coordination.settings import Settings
from onepoller.coordination.stores.choice import ENGINES
from onepoller.coordination.stores.engine import Address
from onepoller.metrics.sentences import sentence

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
PROCESS = (ROOT / "src" / "onepoller" / "process.py").read_text(encoding="utf-8")
NOT_YET: set[str] = set()
"""Commands that the README names to say that they are missing."""

EXCERPT = re.compile(r"<!-- from (\S+) -->\n```python\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
LOG = re.compile(r"<!-- log -->\n```\n(.*?)```", re.DOTALL)
FRAMEWORK = re.compile(r"^\| [^|]+ \| (`[^|]+`[^|]*|its base URL[^|]*) \| (\[[^|]+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\bONEPOLLER_[A-Z_]+\b")


def python_blocks() -> list[tuple[str, str]]:
    """List the Python of every page of ours, each with its page."""
    return [
        (page.name, block) for page in PAGES for block in PYTHON.findall(page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("page", "block"), python_blocks())
def test_what_a_code_block_imports_of_ours_exists(page: str, block: str) -> None:
    """A block compiles, at least inside a coroutine, and its imports from onepoller work."""
    tree = ast.parse(
        "async def main():\n" + "".join(f"    {line}\n" for line in [*block.splitlines(), "pass"])
    )
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    for node in imports:
        if (node.module or "").startswith("onepoller"):
            module = importlib.import_module(node.module or "")
            missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
            assert not missing, f"{page}: {node.module} has no {missing}"


@pytest.mark.parametrize(("path", "block"), EXCERPT.findall(README))
def test_an_excerpt_is_in_the_example(path: str, block: str) -> None:
    """Each line stands in the example, in this order; what lies between is left out."""
    lines = [line.strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]
    rest = iter(lines)
    absent = [line for line in block.splitlines() if line.strip() and line.strip() not in rest]

    assert absent == []


def test_every_code_block_of_the_readme_is_an_excerpt() -> None:
    """What people copy first is what is run by tests."""
    assert len(EXCERPT.findall(README)) == len(PYTHON.findall(README)) == 3


def commands() -> set[str]:
    """List the commands that the program has."""
    return set(typer.main.get_group(app).commands)


def make_targets() -> set[str]:
    """List the targets that the Makefile has."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_exists(page: Path) -> None:
    """`make x` is a target and `onepoller x` a command, wherever a page names one."""
    text = page.read_text(encoding="utf-8")
    code = [
        *re.findall(r"`([^`\n]+)`", text),
        *"\n".join(CONSOLE.findall(text)).replace("$ ", "").splitlines(),
    ]
    made = {found[1] for line in code if (found := re.match(r"make ([a-z][a-z-]*)", line))}
    called = {found[1] for line in code if (found := re.match(r"onepoller ([a-z][a-z-]*)", line))}

    assert made <= make_targets()
    assert called <= commands()


def test_what_is_said_to_be_missing_is_missing() -> None:
    """The line "not yet" is shortened when something arrives."""
    assert commands().isdisjoint(NOT_YET)


def test_each_store_on_a_server_has_its_row() -> None:
    """With a URL that is understood, the extra that it needs, and a page."""
    rows = re.findall(r"^\| \[`([^`]+)`\]\((docs/\S+\.md)\) \| `\[(\w+)\]`", README, re.MULTILINE)

    assert {extra for _, _, extra in rows} == set(ENGINES.values())
    for url, page, extra in rows:
        assert page == f"docs/{extra}.md"
        assert ENGINES[Address.of(url).parts.scheme] == extra


@pytest.mark.parametrize(("cell", "links"), FRAMEWORK.findall(README))
def test_the_line_of_a_framework_is_in_a_program_that_a_test_runs(cell: str, links: str) -> None:
    """As it stands in the table; a page of the docs is no program, and has tests of its own."""
    programs = [ROOT / link for link in LINK.findall(links) if not link.startswith("docs/")]
    line = cell.partition("`")[2].partition("`")[0]
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "e2e").rglob("*.py"))

    assert [p.name for p in programs if line not in p.read_text(encoding="utf-8")] == []
    assert [p.name for p in programs if f'"{p.name}"' not in tests] == []


def test_the_table_of_frameworks_is_found() -> None:
    """Else the test above would look at nothing."""
    assert len(FRAMEWORK.findall(README)) == 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_is_read(page: Path) -> None:
    """A variable that a page names is one that the program reads."""
    assert set(VARIABLE.findall(page.read_text(encoding="utf-8"))) <= set(VARIABLE.findall(PROCESS))


def test_every_variable_that_is_read_is_documented() -> None:
    """docs/settings.md has all of them."""
    assert set(VARIABLE.findall(SETTINGS)) == set(VARIABLE.findall(PROCESS))


def rows() -> dict[str, list[str]]:
    """Read the tables of docs/settings.md: argument to variable and default."""
    found = re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*?) \|", SETTINGS, re.MULTILINE)
    return {argument: [variable.strip("`"), default.strip("`")] for argument, variable, default in found}


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    """Its row shows the variable that is read and the default that the code has."""
    variable = {**process._FROM_ENVIRONMENT, "standby": "ONEPOLLER_NO_STANDBY"}.get(name, "")
    default = getattr(Settings(), name)
    shown = {None: "never", "": '""'}.get(
        default, f"{default:g}" if isinstance(default, float) else str(default)
    )

    assert rows()[name] == [variable, shown]


HOLDER = Identity(host="alpha", boot_id="", pid_namespace=0, pid=811, start_ticks=0, started_at=0.0)
SECOND = Identity(host="alpha", boot_id="", pid_namespace=0, pid=902, start_ticks=0, started_at=0.0)
BOT = BotId(123456789)
MET = events.SessionOpened(session="s", store="/home/ada/.local/state/onepoller", lease=10.0)


def at(hour: int, minute: int) -> float:
    """Give a moment of one day."""
    return time.mktime((2026, 11, 24, hour, minute, 0, 0, 0, -1))


TOLD: list[list[tuple[Identity, Event]]] = [
    [
        (HOLDER, MET),
        (
            HOLDER,
            events.RoleChanged(
                bot_id=BOT, role=Role.POLLING, was=Role.STARTING, term=Term(1), cause=Cause.FREE
            ),
        ),
    ],
    [
        (SECOND, MET),
        (
            SECOND,
            events.RoleChanged(
                bot_id=BOT, role=Role.STANDBY, was=Role.STARTING, holder=HOLDER, holder_since=at(14, 2)
            ),
        ),
    ],
    [
        (
            SECOND,
            events.RoleChanged(
                bot_id=BOT, role=Role.POLLING, was=Role.STANDBY, term=Term(2), cause=Cause.DIED
            ),
        )
    ],
]


@pytest.mark.parametrize(("block", "told"), list(zip(LOG.findall(README), TOLD, strict=True)))
def test_the_log_lines_are_what_is_logged(block: str, told: list[tuple[Identity, Event]]) -> None:
    """The two terminals show what `sentences` says of these events."""
    lines = []
    for me, event in told:
        line = sentence(event, me=me, wall=at(15, 30))
        assert line is not None
        lines.append(f"{logging.getLevelName(line.level)} onepoller: {line.text % line.args}")

    assert block.splitlines() == lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link inside the repository names a file and, after #, one of its headings."""
    dead = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)

    assert dead == []


def anchors(page: Path) -> set[str]:
    """List the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("hub", [ROOT / "README.md", ROOT / "docs" / "index.md"], ids=lambda hub: hub.name)
def test_every_page_of_the_docs_is_linked(hub: Path) -> None:
    """No page can be reached only by those who know it."""
    linked = {
        (hub.parent / link.partition("#")[0]).resolve()
        for link in LINK.findall(hub.read_text(encoding="utf-8"))
    }

    assert {page for page in (ROOT / "docs").glob("*.md") if page != hub} <= linked
