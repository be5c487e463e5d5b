"""Space for bad times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onepoller.coordination.stores.file.reserve import SIZE, Reserve


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    """None is kept yet."""
    return Reserve(tmp_path / "reserve", mode=0o600)


def test_it_takes_real_space(reserve: Reserve, tmp_path: Path) -> None:
    """A sparse file would be a promise without cover."""
    reserve.keep()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE


def test_it_is_given_up_and_kept_again(reserve: Reserve) -> None:
    """Whenever there is room."""
    seen = [reserve.is_kept]
    for change in (reserve.keep, reserve.give_up, reserve.keep):
        change()
        seen.append(reserve.is_kept)
    assert seen == [False, True, False, True]


def test_it_is_not_kept_where_room_is_scarce(reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others need it more."""
    whole = os.statvfs("/")
    monkeypatch.setattr(
        os, "statvfs", lambda _: os.statvfs_result((whole.f_bsize, 4096, 100, 100, 100, *whole[5:]))
    )
    reserve.keep()
    assert not reserve.is_kept


def test_where_it_cannot_be_kept_there_is_none(tmp_path: Path) -> None:
    """It is a chance, and no error."""
    reserve = Reserve(tmp_path / "missing" / "reserve", mode=0o600)
    reserve.keep()
    assert not reserve.is_kept
