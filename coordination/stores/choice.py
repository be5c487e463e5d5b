"""Which store a URL, a directory or nothing means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.file import FileStore, choose_file_store
from onepoller.coordination.stores.seam import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A store that has been checked and not opened."""

    name: str
    """For people; no password is ever in it."""
    note: str
    """One sentence where it covers less than one would think, else empty."""
    make: Callable[[], Store]
    """A fresh store object for this process; called again in a forked child."""


def choose(store: str | Store | None, *, state_dir: str | Path | None, lease: float) -> Chosen:
    """The store to use. Raises SettingsError or StoreUnfit, one sentence that says what to change."""
    if store is not None and not isinstance(store, str):
        given = store
        return Chosen(name=type(store).__name__, note="", make=lambda: given)
    allow_unfit = False
    if store:
        url = urlsplit(store)
        if url.scheme != "file" or url.netloc or not url.path.startswith("/"):
            raise SettingsError("store: this version knows file:///DIRECTORY only; see the README")
        allow_unfit = parse_qs(url.query).get("unfit") == ["allow"]
        state_dir = unquote(url.path)
    directory = Path(state_dir) if state_dir else None
    made, note = choose_file_store(directory, lease=lease, allow_unfit=allow_unfit)
    fresh = iter([made])

    def make() -> Store:
        # The one that was checked is used once; a forked child makes its own.
        return next(fresh, None) or choose_file_store(directory, lease=lease, allow_unfit=allow_unfit)[0]

    where = made.directory if isinstance(made, FileStore) else "the memory of this process"
    if not note and isinstance(made, FileStore) and not made.is_event_driven:
        note = "There is no inotify here: a change is seen at the next look, once a second."
    return Chosen(name=str(where), note=note or "", make=make)
