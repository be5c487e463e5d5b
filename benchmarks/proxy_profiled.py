"""`onepoller proxy` under cProfile, from SIGUSR1 on: what its start takes is not counted.

The first argument is the file for the profile, the others are the proxy's.
"""

from __future__ import annotations

import cProfile
import runpy
import signal
import sys


def main() -> None:
    """Run the command in this process."""
    file = sys.argv.pop(1)
    profile = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda _number, _frame: profile.enable())
    try:
        runpy.run_module("onepoller", run_name="__main__", alter_sys=True)
    finally:
        profile.disable()
        profile.dump_stats(file)


if __name__ == "__main__":
    main()
