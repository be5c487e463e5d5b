"""What the bots of the last act are written in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from onepoller.demo import languages


def installed(place: Path) -> Path:
    """Make a folder of packages that has grammY."""
    (place / "grammy").mkdir(parents=True)
    (place / "grammy" / "package.json").touch()
    return place


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have node be there."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")


@pytest.mark.usefixtures("node")
def test_grammy_is_used_where_it_is_at_hand(tmp_path: Path) -> None:
    """The first place that has it is where node finds it."""
    empty, place = tmp_path / "empty", installed(tmp_path / "full")

    found = languages.grammy([empty, place])

    assert found is not None
    assert (found.command[0], found.settings) == ("/bin/node", {"NODE_PATH": str(place)})


@pytest.mark.usefixtures("node")
def test_what_tests_or_the_user_installed_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NODE_PATH comes first, then the checkout's build folder."""
    fetched = installed(tmp_path / "node-1" / "node_modules")
    monkeypatch.setattr(languages, "BUILD", tmp_path)
    monkeypatch.setenv("NODE_PATH", "/one:/two")

    assert languages.places() == [Path("/one"), Path("/two"), fetched]


@pytest.mark.usefixtures("node")
def test_without_grammy_the_bots_are_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched."""
    monkeypatch.setattr(languages, "BUILD", tmp_path)
    monkeypatch.delenv("NODE_PATH", raising=False)

    assert languages.at_hand() is languages.LOOPS


def test_without_node_the_bots_are_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package alone runs nothing."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("NODE_PATH", str(installed(tmp_path)))

    assert languages.at_hand() is languages.LOOPS


def test_a_bot_is_told_its_url_and_not_its_token() -> None:
    """The command names the variable that holds the token."""
    command = languages.LOOPS.behind("http://127.0.0.1:1")

    assert (command[0], command[2:]) == (sys.executable, ["http://127.0.0.1:1", "ONEPOLLER_DEMO_TOKEN"])
