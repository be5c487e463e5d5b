"""Our own session file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from onepoller.coordination.stores.file.session_file import BEAT, SessionFile, parse


@pytest.fixture
def file(tmp_path: Path) -> SessionFile:
    """A file with a header."""
    return SessionFile.create(tmp_path / "id", mode=0o600, header=b"header")


def test_it_is_made_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    """A group's file must be the group's."""
    before = os.umask(0o077)
    try:
        SessionFile.create(tmp_path / "id", mode=0o660, header=b"").close()
    finally:
        os.umask(before)
    assert oct((tmp_path / "id").stat().st_mode & 0o777) == "0o660"


def test_it_replaces_nobodys_file(tmp_path: Path) -> None:
    """A name that exists is an error, not ours."""
    (tmp_path / "id").touch()
    with pytest.raises(FileExistsError):
        SessionFile.create(tmp_path / "id", mode=0o600, header=b"")


def test_its_content_can_be_read_back(file: SessionFile) -> None:
    """Header and report."""
    file.beat(b"report")
    content = parse(file.path.read_bytes())
    file.close()
    assert (content.header, content.report) == (b"header", b"report")


def test_each_beat_differs_from_the_last(file: SessionFile) -> None:
    """Also where the wall clock stands still or goes back."""
    beats = set()
    for _ in range(3):
        file.beat(b"")
        beats.add(BEAT.unpack(file.path.read_bytes()[: BEAT.size])[0])
    file.close()
    assert beats == {1, 2, 3}


def test_a_torn_file_says_nothing() -> None:
    """Too short for a header."""
    assert parse(b"short").header == b""


def test_a_full_disk_stops_the_report_not_the_beat(
    file: SessionFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first 16 bytes have their space already."""
    write = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if offset + len(data) > os.fstat(descriptor).st_size:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    file.beat(b"report")
    content = file.path.read_bytes()
    file.close()
    assert (BEAT.unpack(content[: BEAT.size])[0], parse(content).report) == (1, b"")


def test_it_knows_whether_its_path_is_still_its_own(file: SessionFile) -> None:
    """A copy in its place is another file."""
    assert file.is_in_place()
    other = file.path.with_name("other")
    other.write_bytes(file.path.read_bytes())
    other.replace(file.path)
    assert not file.is_in_place()
    file.close()


def test_it_removes_only_itself(file: SessionFile) -> None:
    """What somebody put in its place stays."""
    file.path.unlink()
    file.path.touch()
    file.unlink()
    file.close()
    assert file.path.exists()
