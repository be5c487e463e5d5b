"""A process that waits for a lock, holds it, and then shrinks to a Python that does nothing else.

A thread waits, and what is told is when that thread goes on: after `flock` has returned, or in the function
that onepoller calls to poll.

The kernel frees the memory of a killed process before it closes its files, about 0.1 ms for each MB: with a
holder of 40 MB that would be most of what is measured. So, told to `shrink`, the holder of every contender
replaces itself (exec) by the same sleeping Python, which inherits nothing but the lock's descriptor.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from locks import LOCKS
from programs import say

BOT = 4_100_001
LEASE = 60.0
"""Once shrunk it does not beat any more; a lease plays no part in a takeover after a kill."""
SLEEPER = "import sys; print('{\"shrunk\": true}', flush=True); sys.stdin.read()"


def main() -> None:
    """Wait for the lock, tell, and shrink when told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=["onepoller", *LOCKS])
    parser.add_argument("directory", type=Path)
    given = parser.parse_args()
    wait = _wait_onepoller if given.how == "onepoller" else _wait_lock
    threading.Thread(target=wait, args=(given.how, given.directory), daemon=True).start()
    for _ in sys.stdin:
        _shrink(given.directory)
    os._exit(0)


def _wait_lock(how: str, directory: Path) -> None:
    say(waiting=True)
    lock = LOCKS[how](directory / "lock")
    say(claimed=time.monotonic())
    threading.Event().wait()
    del lock


def _wait_onepoller(_how: str, directory: Path) -> None:
    import onepoller  # noqa: PLC0415  # the others start without it
    from onepoller.coordination.events import Event, RoleChanged  # noqa: PLC0415  # as above
    from onepoller.coordination.report import Role  # noqa: PLC0415  # as above

    def listen(event: Event, /) -> None:
        if isinstance(event, RoleChanged) and event.role is Role.STANDBY:
            say(waiting=True)

    def poll(_method: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        say(claimed=time.monotonic())
        threading.Event().wait()
        raise AssertionError("unreachable")

    poller = onepoller.OnePoller(state_dir=directory, lease=LEASE, listeners=[listen], environment={})
    while True:  # in standby a call ends after its timeout
        poller.get_updates_sync(BOT, poll, timeout=50)


def _shrink(directory: Path) -> None:
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            target = entry.readlink()
        except OSError:
            continue  # the one that listed the directory
        if target == directory / "lock" or target.parent == directory / "sessions":
            os.set_inheritable(int(entry.name), True)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", SLEEPER])  # noqa: S606  # our own


if __name__ == "__main__":
    main()
