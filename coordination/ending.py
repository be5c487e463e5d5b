"""Ending this process with exit code 75, for those whose supervisor wants it.

SIGTERM first, so that the framework stops as it always does; an exit handler turns that end into the code.
A process that has no SIGTERM handler would die of the signal with another code: it is ended directly.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading

EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: try again later."""
HARD_AFTER = 30.0


def end_process(_reason: str) -> None:
    """End this process with code 75: SIGTERM to itself, and the hard way after 30 s. Returns at once."""
    if not callable(signal.getsignal(signal.SIGTERM)):
        _exit()
    atexit.register(_exit)
    hard = threading.Timer(HARD_AFTER, _exit)
    hard.daemon = True
    hard.start()
    os.kill(os.getpid(), signal.SIGTERM)


def _exit() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Closed already: nothing is left to be written there.
            continue
    os._exit(EXIT_CODE)
