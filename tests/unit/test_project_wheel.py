"""The comparison of a wheel with the tree, by which `make test-wheel` judges."""

from __future__ import annotations

import runpy
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREE = ("onepoller/__init__.py", "onepoller/py.typed", "onepoller/room/one.py")


@pytest.fixture
def compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Give a function that compares a wheel of these names with a small tree that has a linked room."""
    room = tmp_path / "room"
    package = tmp_path / "src" / "onepoller"
    (package / "__pycache__").mkdir(parents=True)
    room.mkdir()
    (package / "room").symlink_to("../../room")
    for name in ("onepoller/__pycache__/one.pyc", *TREE):
        (tmp_path / "src" / name).touch()
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(ROOT / ".ci" / "wheel_files.py"))["main"]

    def answer(*names: str) -> tuple[int, str]:
        with zipfile.ZipFile("x.whl", "w") as wheel:
            for name in (*names, "onepoller-0.dist-info/RECORD"):
                wheel.writestr(name, "")
        return main(Path("x.whl")), capsys.readouterr().out

    return answer


def test_the_same_files_agree(compare: Callable[..., tuple[int, str]]) -> None:
    """Linked rooms count, caches and metadata do not."""
    assert compare(*TREE) == (0, "The wheel holds the 3 files of src, and no others.\n")


def test_a_forgotten_file_is_named(compare: Callable[..., tuple[int, str]]) -> None:
    """A room that a link lost is the mistake this is for."""
    assert compare(*TREE[:2]) == (1, "missing in the wheel: onepoller/room/one.py\n")


def test_a_file_too_many_is_named(compare: Callable[..., tuple[int, str]]) -> None:
    """A generic name in site-packages would be somebody else's."""
    assert compare(*TREE, "metrics/__init__.py") == (1, "only in the wheel: metrics/__init__.py\n")
