"""How the Makefile makes its environment, shown with a Python that installs nothing and notes its calls."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RECORD = '#!/bin/sh\necho "$*" >> "{calls}"\n'
FIT = 'case "$1" in -c) echo yes; exit;; esac\n'
OLD = 'case "$1" in -c) echo no; exit;; esac\n'
VENV_WITHOUT_ENSUREPIP = """case "$*" in
"-m venv --clear --without-pip .venv") rm -rf .venv; mkdir -p .venv/bin;;
"-m venv "*) echo "ensurepip is not available"; mkdir -p .venv/bin; touch .venv/bin/python3; exit 1;;
esac
"""
VENV = 'case "$2" in venv) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac\n'
NO_INDEX = 'case "$*" in *" install "*) echo "no such package" >&2; exit 1;; esac\n'

FROM_OUTSIDE = "-m pip --python .venv/bin/python"
INSTALLED = [
    "install -qq -r requirements-dev.txt",
    "install -qq --no-deps --no-build-isolation --editable .",
]


class Clone:
    """A directory with what `make .venv/.stamp` needs, and a Python of our making."""

    def __init__(self, root: Path, *behaviour: str) -> None:
        self.root = root
        self.stamp = root / ".venv" / ".stamp"
        self._calls = root / "calls"
        for name in ("Makefile", "pyproject.toml", "requirements-dev.txt"):
            shutil.copy(ROOT / name, root)
        python = root / "python-of-our-making"
        python.write_text("".join([RECORD.format(calls=self._calls), *behaviour]), encoding="utf-8")
        python.chmod(0o755)

    def make(self, goal: str = ".venv/.stamp") -> subprocess.CompletedProcess[str]:
        """Run make as a shell of its own would: without the variables of a make around the tests."""
        return subprocess.run(
            ["make", "PYTHON=./python-of-our-making", goal],
            cwd=self.root,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
            text=True,
        )

    def calls(self) -> list[str]:
        """List the arguments of each call, but of the one that asks for the version."""
        return [call for call in self._calls.read_text(encoding="utf-8").splitlines() if call[:2] != "-c"]


def test_an_environment_with_its_own_pip_installs_with_that(tmp_path: Path) -> None:
    """The usual way: the new environment's pip does it all, from the pinned list."""
    clone = Clone(tmp_path, FIT, VENV)
    result = clone.make()

    assert ["-m venv --clear .venv", *(f"-m pip {call}" for call in INSTALLED)] == clone.calls()
    assert (result.returncode, result.stderr) == (0, "")
    assert clone.stamp.exists()


def test_without_ensurepip_the_pip_beside_python_installs_from_outside(tmp_path: Path) -> None:
    """Debian's python3 without python3-venv is enough, if it has pip."""
    clone = Clone(tmp_path, FIT, VENV_WITHOUT_ENSUREPIP)
    clone.make()
    attempts = ["-m venv --clear .venv", "-m venv --clear --without-pip .venv"]

    assert [*attempts, *(f"{FROM_OUTSIDE} {call}" for call in INSTALLED)] == clone.calls()
    assert clone.stamp.exists()


def test_without_ensurepip_nothing_is_said_about_it(tmp_path: Path) -> None:
    """What was got round is not the reader's business."""
    result = Clone(tmp_path, FIT, VENV_WITHOUT_ENSUREPIP).make()

    assert result.stdout == "Making .venv from requirements-dev.txt, once; it takes about a minute.\n"
    assert result.stderr == ""


def test_an_environment_that_is_made_is_not_made_again(tmp_path: Path) -> None:
    """The second command starts at once."""
    clone = Clone(tmp_path, FIT, VENV)
    clone.make()
    before = clone.calls()
    clone.make()

    assert before == clone.calls()


def test_a_failed_installation_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    """The stamp is written last; pip's own words are shown."""
    clone = Clone(tmp_path, FIT, VENV, NO_INDEX)
    result = clone.make()

    assert not clone.stamp.exists()
    assert "no such package" in result.stderr


@pytest.mark.parametrize(
    "python", [pytest.param(OLD, id="an old one"), pytest.param("exit 127\n", id="one that does not run")]
)
def test_a_python_that_is_too_old_is_told_in_one_sentence(tmp_path: Path, python: str) -> None:
    """One line that names what to type, and nothing is made."""
    clone = Clone(tmp_path, python)
    result = clone.make("demo")
    _, _, sentence = result.stderr.partition("*** ")

    assert sentence == (
        "onepoller needs Python 3.11 or newer, which ./python-of-our-making is not: "
        "try `make PYTHON=python3.12 demo`.  Stop.\n"
    )
    assert result.stderr.count("\n") == 1
    assert not clone.stamp.parent.exists()


def test_make_alone_lists_every_target(tmp_path: Path) -> None:
    """A newcomer types `make`."""
    result = Clone(tmp_path).make("help")
    listed = [line.split()[1] for line in result.stdout.splitlines()]

    assert listed == [
        "help",
        "demo",
        "test",
        "check",
        "bench",
        "simulate",
        "soak",
        "servers",
        "test-kubernetes",
        "test-wheel",
        "test-oldest",
        "clean",
    ]
