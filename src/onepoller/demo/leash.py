"""Nobody outlives the demo: a program of it ends when the other end of its stdin is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading


def _end_with_the_demo() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def hold() -> None:
    """From now on stop as on SIGTERM when stdin is closed."""
    threading.Thread(target=_end_with_the_demo, daemon=True).start()
