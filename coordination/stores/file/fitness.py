"""Whether a directory can hold claims: ours, writable, on a file system whose locks tell the truth.

Looks only, makes nothing. A directory that cannot be used raises `StoreUnfit` with one sentence that says
what to do. Not checked: whether a kernel lock works on a file system that we do not know.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.file import flock, mounts
from onepoller.coordination.stores.file.places import Places

SETTING = "ONEPOLLER_STATE_DIR"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def named_directory(directory: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    """The directory that the user named, in the call or in the environment."""
    named = directory or environ.get(SETTING)
    return Path(named) if named else None


def named_places(named: Path, *, allow_unfit: bool = False) -> Places:
    """The places in a directory that the user named."""
    _check_platform()
    base = _resolved(named)
    places = _within(base) if base.exists() else Places(directory=base)
    _check_writable(places.directory)
    if not allow_unfit:
        _check_file_system(places.directory)
    return places


def default_places(environ: Mapping[str, str]) -> Places:
    """The places in the user's state directory, through no symbolic link and below no shared directory."""
    _check_platform()
    directory = default_directory(environ)
    nearest = _nearest(directory)
    if directory.is_symlink():
        raise StoreUnfit(f"{directory} is a symbolic link: name its target in {SETTING}.")
    info = nearest.stat()
    if info.st_uid != os.geteuid() or info.st_mode & stat.S_IWOTH:  # a group's right is the user's own umask
        raise StoreUnfit(f"{nearest} is not ours alone: name a directory of this user's in {SETTING}.")
    _check_writable(directory)
    _check_file_system(directory)
    return Places(directory=directory)


def default_directory(environ: Mapping[str, str]) -> Path:
    """`onepoller` in the user's state directory."""
    state = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # the XDG specification: relative ones are ignored
        return Path(state) / "onepoller"
    try:
        return Path.home() / ".local" / "state" / "onepoller"
    except RuntimeError as error:
        raise StoreUnfit(f"This user has no home directory: name a directory in {SETTING}.") from error


def is_overlay(places: Places) -> bool:
    """Whether the places lie in a container's own layer, which no other container sees."""
    return mounts.file_system_of(_nearest(places.directory)) == "overlay"


def _check_platform() -> None:
    if not flock.is_available():
        raise StoreUnfit(
            "The file store needs flock, which this platform has not: use an engine, such as redis://."
        )


def _resolved(named: Path) -> Path:
    try:
        return named.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise StoreUnfit(f"{named} leads nowhere: name another directory.") from error


def _within(base: Path) -> Places:
    """The places in a directory that exists: itself if it is ours alone, else `onepoller` in it."""
    if not base.is_dir():
        raise StoreUnfit(f"{base} is not a directory: name one.")
    info = base.stat()
    is_ours = info.st_uid == os.geteuid()
    if is_ours and not info.st_mode & _OTHERS_WRITE:
        return Places(directory=base)
    groups = {os.getegid(), *os.getgroups()}
    is_group = bool(info.st_mode & stat.S_IWGRP) and (is_ours or info.st_gid in groups)
    is_world = bool(info.st_mode & stat.S_IWOTH)
    if not (is_ours or is_group or is_world):
        raise _somebody_elses(base, info)
    shares = is_group and (not is_world or bool(info.st_mode & stat.S_ISGID))
    return _inside(base / "onepoller", group=info.st_gid if shares else None)


def _inside(directory: Path, *, group: int | None) -> Places:
    try:
        info = directory.lstat()
    except FileNotFoundError:
        return Places(directory=directory, group=group)
    is_ours = info.st_uid == os.geteuid()
    is_groups = group is not None and info.st_gid == group and bool(info.st_mode & stat.S_IWGRP)
    is_sound = stat.S_ISDIR(info.st_mode) and not info.st_mode & stat.S_IWOTH
    if not (is_sound and (is_ours or is_groups)):
        raise _somebody_elses(directory, info)
    return Places(directory=directory, group=info.st_gid if info.st_mode & stat.S_IWGRP else None)


def _somebody_elses(directory: Path, info: os.stat_result) -> StoreUnfit:
    return StoreUnfit(
        f"{directory} belongs to user {info.st_uid}, and this process runs as user {os.geteuid()}:"
        " run both as one user, or name a directory that their group may write."
    )


def _nearest(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _check_writable(directory: Path) -> None:
    nearest = _nearest(directory)
    if not nearest.is_dir():
        raise StoreUnfit(f"{nearest} is not a directory: name another one.")
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreUnfit(
            f"{nearest} is read-only for this process: make it writable, or name another directory."
        )


def _check_file_system(directory: Path) -> None:
    file_system = mounts.file_system_of(_nearest(directory))
    if mounts.is_unfit(file_system):
        raise StoreUnfit(
            f"{directory} lies on {file_system}, where locks cannot be trusted:"
            " name a directory on a local disk, or use an engine, such as redis:// or postgresql://."
        )
