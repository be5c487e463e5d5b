"""A warm parent: everything is imported, nothing of onepoller was used. It forks bots on orders.

`herd.py bare|ptb|worker`, then a JSON object a line on stdin: `{"fork": NAME, "arguments": [...],
"environment": {...}}` or `{"kill": NAME}`. It tells of each child's pid and end. Its children die with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from typing import Any

from tests.e2e.bots.saying import say

if "ptb" in sys.argv[1:2]:
    from tests.e2e.bots import ptb as program
elif "worker" in sys.argv[1:2]:
    from tests.e2e.engines import worker as program  # type: ignore[no-redef]  # one of the three
else:
    from tests.e2e.bots import bare as program  # type: ignore[no-redef]  # as above

_DIE_WITH_PARENT = 1
LOOK_EVERY = 0.05


class Parent:
    """Forks, kills and buries."""

    def __init__(self) -> None:
        self._children: dict[int, str] = {}
        self._buffer = b""

    def run(self) -> list[str] | None:
        """Obey until stdin ends (None), or until this is a child: then give its arguments."""
        while True:
            readable, _, _ = select.select([0], [], [], LOOK_EVERY)
            self._bury()
            if not readable:
                continue
            data = os.read(0, 65536)
            if not data:
                return None
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                arguments = self._obey(json.loads(line))
                if arguments is not None:
                    return arguments

    def _obey(self, order: dict[str, Any]) -> list[str] | None:
        if "kill" in order:
            for pid, name in self._children.items():
                if name == order["kill"]:
                    os.kill(pid, signal.SIGKILL)
            return None
        pid = os.fork()
        if pid:
            self._children[pid] = order["fork"]
            say(forked=pid, name=order["fork"])
            return None
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        os.dup2(os.pipe()[0], 0)  # never ends: its other end is ours
        os.environ.update(order["environment"])
        arguments: list[str] = order["arguments"]
        return arguments

    def _bury(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            say(ended=self._children.pop(pid), code=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Be the parent, and in a child the bot."""
    arguments = Parent().run()
    if arguments is not None:
        program.main(arguments)


if __name__ == "__main__":
    main()
