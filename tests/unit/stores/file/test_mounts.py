"""Which file system a path lies on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onepoller.coordination.stores.file.mounts import file_system_of, is_unfit


def line(*, device: str, point: str, kind: str) -> str:
    """A line of mountinfo."""
    return f"36 35 {device} / {point} rw,noatime shared:1 - {kind} source rw\n"


def test_the_device_number_decides(tmp_path: Path) -> None:
    """A longer mount point of another device does not."""
    device = tmp_path.stat().st_dev
    own = f"{os.major(device)}:{os.minor(device)}"
    table = line(device="0:999", point=str(tmp_path), kind="nfs4") + line(device=own, point="/", kind="xfs")
    assert file_system_of(tmp_path, table=table) == "xfs"


def test_without_the_device_the_longest_mount_point_decides(tmp_path: Path) -> None:
    """As for subvolumes, whose device stands in no line."""
    table = line(device="0:998", point="/", kind="ext4") + line(
        device="0:999", point=str(tmp_path), kind="btrfs"
    )
    assert file_system_of(tmp_path, table=table) == "btrfs"


def test_a_mount_point_is_a_whole_directory_name(tmp_path: Path) -> None:
    """`/a/b` does not hold `/a/bc`."""
    table = line(device="0:998", point="/", kind="ext4") + line(
        device="0:999", point=str(tmp_path)[:-1], kind="nfs"
    )
    assert file_system_of(tmp_path, table=table) == "ext4"


def test_spaces_in_a_mount_point_are_understood(tmp_path: Path) -> None:
    """The kernel writes them in octal."""
    directory = tmp_path / "my disk"
    directory.mkdir()
    point = str(directory).replace(" ", r"\040")
    table = line(device="0:998", point="/", kind="ext4") + line(device="0:999", point=point, kind="cifs")
    assert file_system_of(directory, table=table) == "cifs"


def test_the_kernels_table_is_read(tmp_path: Path) -> None:
    """On this machine there is an answer."""
    assert file_system_of(tmp_path) != ""


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs", "fuse", "fuseblk"]
)
def test_file_systems_whose_locks_lie_are_unfit(kind: str) -> None:
    """Network, FUSE, and shares of a virtual machine."""
    assert is_unfit(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", ""])
def test_local_file_systems_are_fit(kind: str) -> None:
    """What is unknown is given the benefit of the doubt."""
    assert not is_unfit(kind)
