"""What becomes of open connections in a forked child: they are closed there, and nothing is sent.

A descriptor left open in a child would keep the lock of a parent that was killed. The client's own destructor
would say goodbye in the parent's name, and take the connection out of an event loop's poll that parent and
child share: so the objects are kept for ever, unused.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import Any

_open: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""Each connection's descriptor."""


def note(connection: Any, descriptor: int) -> None:
    """Look after a connection from now on, until it is closed or dropped."""
    _open[connection] = descriptor


def _abandon() -> None:
    for connection, descriptor in list(_open.items()):
        if not connection.is_closed():
            with suppress(OSError):
                os.close(descriptor)
            _keep_for_ever(connection)
    _open.clear()


def _keep_for_ever(connection: object) -> None:
    """Add a reference that not even the interpreter's end drops."""
    import ctypes  # noqa: PLC0415  # in a forked child only

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon)
