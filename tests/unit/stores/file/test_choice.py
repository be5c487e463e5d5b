"""Which store a process gets when it names none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.file import FileStore, choose_file_store
from onepoller.coordination.stores.in_process import in_process_store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the user's, and none named."""
    monkeypatch.delenv("ONEPOLLER_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_fit_default_directory_is_used_without_a_word(home: Path) -> None:
    """Nothing is told, nothing is made."""
    store, warning = choose_file_store()
    assert isinstance(store, FileStore)
    assert (store.directory, warning, list(home.iterdir())) == (home / "onepoller", None, [])


def test_an_unfit_default_directory_stops_nobody(home: Path) -> None:
    """Claims are kept in the process, and one sentence says so."""
    home.chmod(0o1777)
    store, warning = choose_file_store(lease=7)
    assert store is in_process_store(lease=7)
    assert warning is not None
    assert warning.startswith("Only this process is covered against a second poller: ")


def test_a_containers_own_layer_is_used_with_a_warning(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other containers do not see it."""
    monkeypatch.setattr("onepoller.coordination.stores.file.mounts.file_system_of", lambda _: "overlay")
    store, warning = choose_file_store()
    assert isinstance(store, FileStore)
    assert warning == (
        f"Only this container is covered against a second poller: {home}/onepoller lies in its own layer."
    )


def test_an_unfit_named_directory_stops_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a directory wants that one."""
    (home / "file").touch()
    monkeypatch.setenv("ONEPOLLER_STATE_DIR", str(home / "file"))
    with pytest.raises(StoreUnfit):
        choose_file_store()


def test_where_there_is_no_flock_everything_imports_and_one_sentence_is_told() -> None:
    """As on Windows: the default falls back to the process."""
    program = (
        "import sys; sys.modules['fcntl'] = sys.modules['inotify_simple'] = None;"
        "from onepoller.coordination.stores.file import choose_file_store;"
        "print(*choose_file_store())"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ONEPOLLER_")}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environ, check=True, capture_output=True, text=True
    ).stdout
    assert said == (
        "<MemoryStore 0 sessions, 0 claims> Only this process is covered against a second poller:"
        " The file store needs flock, which this platform has not: use an engine, such as redis://.\n"
    )
