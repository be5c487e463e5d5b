"""SIGTERM, for programs that do not handle it: release everything first, then what happened before.

Only where asked (`handle_sigterm=True`). A framework that installs its own handler afterwards replaces this
one, and releases by its own stopping. The default end of a process needs none of this with the file store:
the kernel frees its lock. On an engine it spares the successor the wait for the lease.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from onepoller.coordination.errors import SetupError


def release_on_sigterm(close: Callable[[], None]) -> None:
    """Install the handler. Raises SetupError where Python does not allow it: outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        raise SetupError(
            "handle_sigterm works in the main thread only: make the OnePoller there, or without it"
        )
    handler = _Handler(close, former=signal.getsignal(signal.SIGTERM))
    signal.signal(signal.SIGTERM, handler)


class _Handler:
    """The first SIGTERM releases, and sends another one, which is passed on."""

    def __init__(self, close: Callable[[], None], *, former: Any) -> None:
        self._close = close
        self._former = former
        self._releasing: threading.Thread | None = None
        self._pid = os.getpid()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._pid != os.getpid():  # a forked child: what is to be released is its parent's
            self._pass_on(number, frame)
        elif self._releasing is None:
            # In a thread of its own: what the signal came upon may hold a lock that the release needs.
            self._releasing = threading.Thread(target=self._release, name="onepoller-sigterm", daemon=True)
            self._releasing.start()
        else:
            self._pass_on(number, frame)

    def _release(self) -> None:
        self._close()
        # To the main thread: where the kernel picks another one, what the main thread waits for goes on.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if callable(self._former):
            self._former(number, frame)
        elif self._former is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
