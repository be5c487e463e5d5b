"""What becomes of open connections in a forked child: they are kept for ever, and never used.

A connection that is thrown away is taken out of its event loop's epoll set, which the child shares with its
parent: the parent would hear nothing from the server any more. The descriptors end with the child.
"""

from __future__ import annotations

import os
import weakref

_open: weakref.WeakSet[object] = weakref.WeakSet()
_abandoned: list[object] = []


def keep_in_children(owner: object) -> None:
    """Never throw away in a forked child what this object owns."""
    _open.add(owner)


def _abandon() -> None:
    _abandoned.extend(_open)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon)
