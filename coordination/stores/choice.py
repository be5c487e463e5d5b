"""Which store a URL, a directory or nothing means."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote

from onepoller.coordination.errors import SettingsError, StoreUnfit
from onepoller.coordination.identity import boot_id
from onepoller.coordination.stores.engine import Address, EngineStore
from onepoller.coordination.stores.engine.same_host import SameHostStore
from onepoller.coordination.stores.engine.witness import Witnesses
from onepoller.coordination.stores.file import FileStore, choose_file_store, fitness
from onepoller.coordination.stores.seam import Store

ENGINES = {
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "etcd": "etcd",
    "etcds": "etcd",
    "kubernetes": "kubernetes",
}
"""Which module of `stores` a scheme means; each has `make(address, lease=)`.

One that cannot promise a takeover in any lease has a `SHORTEST_LEASE`, seconds.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A store that has been checked and not opened."""

    name: str
    """For people; no password is ever in it."""
    note: str
    """One sentence where it covers less than one would think, else empty."""
    lease: float
    """Seconds: what was asked for, or the shortest that there is."""
    make: Callable[[], Store]
    """A fresh store object for this process; called again in a forked child."""


def choose(store: str | Store | None, *, state_dir: str | Path | None, lease: float) -> Chosen:
    """The store to use. Raises SettingsError or StoreUnfit, one sentence that says what to change."""
    if store is not None and not isinstance(store, str):
        given = store
        return Chosen(name=type(store).__name__, note="", lease=lease, make=lambda: given)
    if not store:
        return _in_a_directory(state_dir, lease=lease)
    address = Address.of(store)
    if address.parts.scheme == "file":
        return _in_a_directory(_path(address.parts), lease=lease, allow_unfit=_allows_unfit(address.parts))
    return _on_an_engine(address, state_dir=state_dir, lease=lease)


def _on_an_engine(address: Address, *, state_dir: str | Path | None, lease: float) -> Chosen:
    scheme = address.parts.scheme
    name = ENGINES.get(scheme)
    if name is None:
        known = ", ".join(f"{known}://" for known in ("file", *ENGINES))
        raise SettingsError(f"store: a URL begins with one of {known}; see the README")
    try:
        engine = importlib.import_module(f"onepoller.coordination.stores.{name}")
    except ModuleNotFoundError as error:
        raise StoreUnfit(
            f"{scheme}:// needs the package {error.name}: pip install 'onepoller[{name}]'"
        ) from None
    witnesses, note = _witnesses(state_dir)
    shortest = getattr(engine, "SHORTEST_LEASE", lease)
    if lease < shortest:
        note = f"A lease of {lease:g} s is taken as {shortest:g} s, the shortest here. {note}".rstrip()
        lease = shortest

    def made() -> Store:
        store: EngineStore = engine.make(address, lease=lease)
        return SameHostStore(store, witnesses) if witnesses is not None else store

    fresh = iter([made()])  # once now, so that what can be said is said here

    def make() -> Store:
        return next(fresh, None) or made()

    return Chosen(name=address.shown, note=note, lease=lease, make=make)


def _witnesses(state_dir: str | Path | None) -> tuple[Witnesses | None, str]:
    """Where the processes of this host prove that one of them is dead; or one sentence that says why not."""
    try:
        named = fitness.named_directory(state_dir, os.environ)
        places = fitness.named_places(named) if named is not None else fitness.default_places(os.environ)
    except (StoreUnfit, OSError) as error:
        return None, f"A crash is followed after the lease, also on this host: {error}"
    return Witnesses(places, boot_id=boot_id()), ""


def _in_a_directory(state_dir: str | Path | None, *, lease: float, allow_unfit: bool = False) -> Chosen:
    directory = Path(state_dir) if state_dir else None
    made, note = choose_file_store(directory, lease=lease, allow_unfit=allow_unfit)
    fresh = iter([made])

    def make() -> Store:
        # The one that was checked is used once; a forked child makes its own.
        return next(fresh, None) or choose_file_store(directory, lease=lease, allow_unfit=allow_unfit)[0]

    where = made.directory if isinstance(made, FileStore) else "the memory of this process"
    if not note and isinstance(made, FileStore) and not made.is_event_driven:
        note = "There is no inotify here: a change is seen at the next look, once a second."
    return Chosen(name=str(where), note=note or "", lease=lease, make=make)


def _path(url: SplitResult) -> str:
    if url.netloc or not url.path.startswith("/"):
        raise SettingsError("store: a directory is file:///DIRECTORY, with three slashes")
    return unquote(url.path)


def _allows_unfit(url: SplitResult) -> bool:
    return parse_qs(url.query).get("unfit") == ["allow"]
