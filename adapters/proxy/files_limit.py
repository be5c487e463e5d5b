"""How many clients fit: each is an open file, and its poll at the Bot API is another one."""

from __future__ import annotations

import resource
from contextlib import suppress

RESERVED = 128
"""Kept for the store, the log, the metrics port and connections that are being refused."""
PER_CLIENT = 2


def raised() -> int:
    """Raise the soft limit of open files to the hard one; gives what there is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft


def clients_that_fit(files: int) -> int:
    """How many clients there may be with so many open files; at least one."""
    return max((files - RESERVED) // PER_CLIENT, 1)
