"""What one observer sees of another session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.file.observer import Observer
from onepoller.coordination.stores.file.rows import SessionRow
from onepoller.coordination.stores.file.session_file import SessionFile
from onepoller.coordination.stores.seam import Liveness


class Scene:
    """A session, and somebody who looks at it on a clock that we move."""

    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self.file = SessionFile.create(directory / "id", mode=0o600, header=b"")
        self.row = SessionRow(
            id=SessionId("id"), inode=self.file.inode.number, lease=10, identity="{}", is_over=False
        )
        self.observer = Observer(directory, monotonic=lambda: self.now)

    def look(self, *, at: float) -> Liveness:
        """Look, at a time."""
        self.now = at
        return self.observer.look(self.row)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A session that holds its lock."""
    scene = Scene(tmp_path)
    yield scene
    scene.file.close()


def test_silence_counts_from_the_observers_own_first_look(scene: Scene) -> None:
    """What happened before it looked is not known."""
    assert [scene.look(at=at) for at in (100, 109.9, 110)] == [
        Liveness.ALIVE,
        Liveness.ALIVE,
        Liveness.SILENT,
    ]


def test_a_beat_begins_the_silence_anew(scene: Scene) -> None:
    """Counted from when the new beat was first seen."""
    scene.look(at=0)
    scene.file.beat(b"")
    assert [scene.look(at=at) for at in (12, 21, 22)] == [Liveness.ALIVE, Liveness.ALIVE, Liveness.SILENT]


def test_a_free_lock_is_a_proof(scene: Scene) -> None:
    """At the first look."""
    scene.file.close()
    assert scene.look(at=0) is Liveness.SILENT


def test_a_session_that_was_marked_over_stays_so(scene: Scene) -> None:
    """Whatever its file says."""
    scene.row = replace(scene.row, is_over=True)
    assert scene.look(at=0) is Liveness.OVER


def test_a_missing_file_proves_nothing(scene: Scene) -> None:
    """The beat counts as unchanged since it was last seen."""
    scene.look(at=0)
    scene.file.path.unlink()
    assert [scene.look(at=at) for at in (9, 10)] == [Liveness.ALIVE, Liveness.SILENT]


def test_a_file_that_was_missing_from_the_start_counts_from_the_first_look(scene: Scene) -> None:
    """A lease has to pass all the same."""
    scene.file.path.unlink()
    assert [scene.look(at=at) for at in (5, 14, 15)] == [Liveness.ALIVE, Liveness.ALIVE, Liveness.SILENT]


def test_another_file_in_its_place_proves_nothing(scene: Scene) -> None:
    """Its lock is free, but it is not the one that the row records."""
    scene.file.path.unlink()
    scene.file.path.touch()
    assert scene.look(at=0) is Liveness.ALIVE


def test_a_link_in_its_place_is_not_followed(scene: Scene) -> None:
    """It counts as missing."""
    real = scene.file.path.with_name("real")
    scene.file.path.rename(real)
    scene.file.path.symlink_to(real)
    assert [scene.look(at=at) for at in (0, 10)] == [Liveness.ALIVE, Liveness.SILENT]


def test_our_own_trouble_is_no_proof(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a free descriptor we cannot know, so it lives, and the count begins anew."""

    def fail(*_: object) -> int:
        raise OSError(24, "Too many open files")

    scene.look(at=0)
    with monkeypatch.context() as patch:
        patch.setattr("os.open", fail)
        assert scene.look(at=20) is Liveness.ALIVE
    assert [scene.look(at=at) for at in (21, 29, 31)] == [Liveness.ALIVE, Liveness.ALIVE, Liveness.SILENT]


def test_the_report_is_read(scene: Scene) -> None:
    """What the last beat said."""
    scene.file.beat(b"report")
    assert scene.observer.content(scene.row).report == b"report"


def test_no_report_is_read_from_another_file(scene: Scene) -> None:
    """Whoever put it there is not the session."""
    scene.file.path.unlink()
    scene.file.path.write_bytes(bytes(100))
    assert scene.observer.content(scene.row).report == b""


def test_only_a_free_lock_is_death(scene: Scene) -> None:
    """Silence is not."""
    scene.look(at=0)
    scene.look(at=100)
    assert not scene.observer.is_dead(scene.row)
    scene.file.close()
    assert scene.observer.is_dead(scene.row)


def test_sessions_that_nobody_names_are_forgotten(scene: Scene) -> None:
    """Their silence would count anew."""
    scene.look(at=0)
    scene.observer.forget_all_but([])
    assert scene.look(at=10) is Liveness.ALIVE
