"""What becomes of open connections in a forked child: they are kept for ever, and never used.

One that is thrown away could say goodbye in its parent's name, or be taken out of the epoll set that both
share; the parent would hear nothing any more. The descriptors end with the child.
"""

from __future__ import annotations

import os
import weakref

_open: weakref.WeakSet[object] = weakref.WeakSet()
_kept: list[object] = []


def keep_in_children(owner: object) -> None:
    """Let a forked child never throw away what this object owns."""
    _open.add(owner)


def _keep() -> None:
    _kept.extend(_open)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep)
