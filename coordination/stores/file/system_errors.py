"""What the operating system says about the directory, in our words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onepoller.coordination.errors import StoreFull, StoreUnavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def system_errors(directory: Path) -> Iterator[None]:
    """Turn an OSError into StoreFull or another StoreUnavailable: what was fit once is waited for."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"No space left for {directory}: holders go on, changes wait.") from error
        if error.errno in _FORBIDDEN:
            raise StoreUnavailable(
                f"{directory} has become read-only for this process: make it writable."
            ) from error
        raise StoreUnavailable(f"{directory} cannot be used: {error.strerror}.") from error
