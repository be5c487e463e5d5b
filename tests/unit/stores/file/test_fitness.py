"""Which directories can hold claims, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.file import fitness
from onepoller.coordination.stores.file.places import Places


def test_a_directory_that_is_ours_alone_is_used_as_it_is(tmp_path: Path) -> None:
    """Others may read it, nobody else may write."""
    tmp_path.chmod(0o755)
    assert fitness.named_places(tmp_path) == Places(directory=tmp_path)


def test_a_directory_that_does_not_exist_yet_is_used_as_it_is(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    assert fitness.named_places(tmp_path / "a" / "b") == Places(directory=tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_in_a_directory_for_everybody_we_have_our_own(tmp_path: Path) -> None:
    """As in a shared temp directory that the user insists on."""
    tmp_path.chmod(0o1777)
    assert fitness.named_places(tmp_path) == Places(directory=tmp_path / "onepoller")


def test_in_a_groups_directory_the_group_has_its_own(tmp_path: Path) -> None:
    """The group of the directory shares what lies in it."""
    tmp_path.chmod(0o2770)
    places = fitness.named_places(tmp_path)
    assert places == Places(directory=tmp_path / "onepoller", group=tmp_path.stat().st_gid)


def test_a_symbolic_link_in_a_shared_directory_is_refused(tmp_path: Path) -> None:
    """Somebody else may have put it there."""
    tmp_path.chmod(0o1777)
    (tmp_path / "onepoller").symlink_to("/")
    with pytest.raises(StoreUnfit, match="belongs to user"):
        fitness.named_places(tmp_path)


def test_a_file_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnfit, match="is not a directory: name"):
        fitness.named_places(tmp_path / "file" / "below")


def test_an_unfit_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pointer to the engines."""
    monkeypatch.setattr("onepoller.coordination.stores.file.mounts.file_system_of", lambda _: "nfs4")
    with pytest.raises(StoreUnfit, match=r"lies on nfs4, .* or use an engine"):
        fitness.named_places(tmp_path / "state")


def test_an_unfit_file_system_is_used_where_the_user_insists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The override is the user's word."""
    monkeypatch.setattr("onepoller.coordination.stores.file.mounts.file_system_of", lambda _: "nfs4")
    assert fitness.named_places(tmp_path, allow_unfit=True).directory == tmp_path


def test_a_platform_without_flock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything imports there; the store says what to use instead."""
    monkeypatch.setattr("onepoller.coordination.stores.file.flock.fcntl", None)
    with pytest.raises(StoreUnfit, match="use an engine"):
        fitness.named_places(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: run the tests as root, as in a container")
def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    """Also where we could write to it, because we are root: the owner would not find our claims."""
    os.chown(tmp_path, 60101, 60101)
    tmp_path.chmod(0o700)
    with pytest.raises(
        StoreUnfit, match=f"belongs to user 60101, and this process runs as user {os.geteuid()}"
    ):
        fitness.named_places(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: run the tests as root, as in a container")
def test_a_read_only_directory_is_refused(tmp_path: Path) -> None:
    """A process without root's rights cannot write to it."""
    readable = tmp_path / "readable"
    readable.mkdir(mode=0o555)
    os.chown(readable, 60101, 60101)
    for parent in tmp_path.parents:
        if parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o711)
    tmp_path.chmod(0o711)
    os.seteuid(60101)
    try:
        with pytest.raises(StoreUnfit, match="is read-only for this process: make it writable"):
            fitness.named_places(readable)
    finally:
        os.seteuid(0)


def test_the_default_is_the_users_state_directory(tmp_path: Path) -> None:
    """By the XDG specification."""
    assert fitness.default_places({"XDG_STATE_HOME": str(tmp_path)}).directory == tmp_path / "onepoller"


def test_without_xdg_the_default_is_below_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative XDG_STATE_HOME counts as none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    places = fitness.default_places({"XDG_STATE_HOME": "relative"})
    assert places.directory == tmp_path / ".local" / "state" / "onepoller"


def test_the_default_does_not_follow_a_link(tmp_path: Path) -> None:
    """The user has to name what it leads to."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "onepoller").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnfit, match="is a symbolic link: name its target in ONEPOLLER_STATE_DIR"):
        fitness.default_places({"XDG_STATE_HOME": str(tmp_path)})


def test_the_default_is_never_in_a_directory_for_everybody(tmp_path: Path) -> None:
    """As where the home directory is a temp directory."""
    tmp_path.chmod(0o1777)
    with pytest.raises(StoreUnfit, match="is not ours alone"):
        fitness.default_places({"XDG_STATE_HOME": str(tmp_path)})


def test_the_setting_names_a_directory() -> None:
    """The call wins over the environment."""
    environ = {"ONEPOLLER_STATE_DIR": "/environment"}
    assert fitness.named_directory(None, environ) == Path("/environment")
    assert fitness.named_directory(Path("/call"), environ) == Path("/call")
    assert fitness.named_directory(None, {}) is None
