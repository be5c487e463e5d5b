"""Hearing that session files are closed: one inotify watch on their directory.

A process that ends closes its session file, and so does whoever wakes another: the name says whom it is
about. Our own: we are called; another's: it may be dead. The close event comes before the kernel drops the
lock, so one that is not free yet is looked at again within a few milliseconds.

The kernel closes the descriptors of a killed process from the highest down, and takes 10 ms and more for the
last watch on a directory. What others wait for must have a higher one: open the ear first.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.seam import Change

if TYPE_CHECKING:
    from inotify_simple import INotify

_LOOK_AGAIN = (0.0005, 0.001, 0.0015, 0.002)
_EVENTS = 16 * 1024
"""Bytes of events taken at once; where more wait, the loop calls again."""
_OVERFLOW = 0x4000
"""IN_Q_OVERFLOW: the kernel dropped events, so it could be anything."""


def has_inotify() -> bool:
    """Whether a watch can be event-driven here."""
    return sys.platform == "linux" and importlib.util.find_spec("inotify_simple") is not None


class Hearing:
    """What one session hears of a directory. `has_ended`: whether the file of this name is locked no more."""

    def __init__(self, changes: Changes, *, own: SessionId, has_ended: Callable[[str], bool]) -> None:
        self._changes = changes
        self._own = own
        self._has_ended = has_ended
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def on(self, directory: Path, ear: INotify | None = None) -> Iterator[bool]:
        """Put changes as long as this lasts; gives whether anything can be heard here.

        `ear`: one that was opened before, on this directory; closed at the end, too.
        """
        inotify = ear or ear_on(directory)
        if inotify is None:
            yield False
            return
        pid = os.getpid()
        try:
            self._loop.add_reader(inotify.fileno(), self._hear, inotify)
            yield True
        finally:
            if os.getpid() == pid:  # a forked child shares the loop's epoll, and would make its parent deaf
                self._loop.remove_reader(inotify.fileno())
            inotify.close()

    def _hear(self, inotify: INotify) -> None:
        import inotify_simple  # noqa: PLC0415  # Linux only

        # Not `inotify.read`, which first asks the kernel how much there is.
        for event in inotify_simple.parse_events(os.read(inotify.fileno(), _EVENTS)):  # type: ignore[no-untyped-call]  # no types
            if event.mask & _OVERFLOW or event.name == self._own:
                self._changes.put(Change())
            else:
                self._check(event.name, _LOOK_AGAIN)

    def _check(self, name: str, again: tuple[float, ...]) -> None:
        if self._has_ended(name):
            self._changes.put(Change(session=SessionId(name)))
        elif again:
            self._loop.call_later(again[0], self._check, name, again[1:])


def ear_on(directory: Path) -> INotify | None:
    """A watch on the directory, or None where there is none to be had."""
    if not has_inotify():
        return None
    import inotify_simple  # noqa: PLC0415  # Linux only

    try:
        inotify = inotify_simple.INotify(nonblocking=True)  # type: ignore[no-untyped-call]  # no types
    except OSError:  # no instance left for this user, or a kernel without it
        return None
    try:
        inotify.add_watch(directory, inotify_simple.flags.CLOSE_WRITE)  # type: ignore[no-untyped-call]  # no types
    except OSError:  # no watch left, or no directory
        inotify.close()
        return None
    return inotify
