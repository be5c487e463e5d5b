"""What no file of the repository may hold: a package host, a path of one machine, a token of somebody's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis", ".import_linter_cache"}

PACKAGE_HOST = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org|crates\.io")
MACHINE_PATH = re.compile(r"(?<![\w.})/-])/(?:work|root)(?![\w-])")
TOKEN = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}")
# A token in a test says what it is; CONTRIBUTING.md tells so.
TEST_TOKEN = re.compile(r"canary|example|fake|test", re.IGNORECASE)


def offences(text: str) -> list[str]:
    """List what must not be in a text. A token is shown by its bot id alone."""
    tokens = [token for token in TOKEN.findall(text) if not TEST_TOKEN.search(token)]
    return [
        *(match.group() for match in PACKAGE_HOST.finditer(text)),
        *(match.group() for match in MACHINE_PATH.finditer(text)),
        *(f"the token of {token.partition(':')[0]}" for token in tokens),
    ]


def texts() -> Iterator[tuple[str, str]]:
    """Read every text file of the repository, once: links are not followed."""
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [
            name for name in subfolders if name not in MADE and not name.endswith(("_cache", ".egg-info"))
        ]
        for name in names:
            path = Path(folder, name)
            try:
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("pip install -i https://pypi" + ".org/simple", ["pypi" + ".org"], id="a package host"),
        pytest.param("cd /" + "root/bot", ["/" + "root"], id="a machine's path"),
        pytest.param("1234567890:AAH" + "x" * 32, ["the token of 1234567890"], id="a token"),
        pytest.param("1234567890:AAH-test-" + "x" * 26, [], id="a test token may stand"),
        pytest.param("GET https://host/work and src/work", [], id="a path of something else may stand"),
    ],
)
def test_the_search_finds(text: str, found: list[str]) -> None:
    """The next test is worth as much as this one."""
    assert found == offences(text)


def test_the_repository_speaks_of_the_product_alone() -> None:
    """No package host, no path of one machine, no token that could be somebody's."""
    found = {name: offences(text) for name, text in texts()}

    assert "pyproject.toml" in found
    assert {name: words for name, words in found.items() if words} == {}
