"""A warm parent of bots: their framework is imported once (aiogram: 3 s); nothing of onepoller is used.

`warm_parent.py FD PROGRAM`, one of this folder: over that Unix socket come orders, each a JSON object with a
child's stdin, stdout and stderr beside it: `{"arguments": [...], "environment": {...}}`. It answers
`{"forked": PID}`, and `{"ended": PID, "code": CODE}` when that child has ended. Its children die with it; it
ends with the socket.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys

_DIE_WITH_PARENT = 1
_LOOK_EVERY = 0.02
_MOST = 1 << 20


def fork_on_orders(link: socket.socket) -> list[str] | None:
    """Obey until the socket ends (None), or until this is a child: then give its arguments."""
    children: set[int] = set()
    while True:
        bury(children, link)
        if not select.select([link], [], [], _LOOK_EVERY)[0]:
            continue
        order, streams, _, _ = socket.recv_fds(link, _MOST, 3)
        if not order:
            return None
        wanted = json.loads(order)
        pid = os.fork()
        if not pid:
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            link.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            os.environ.clear()
            os.environ.update(wanted["environment"])
            arguments: list[str] = wanted["arguments"]
            return arguments
        children.add(pid)
        for stream in streams:
            os.close(stream)
        link.send(json.dumps({"forked": pid}).encode())


def bury(children: set[int], link: socket.socket) -> None:
    """Tell of those that have ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
        link.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


if __name__ == "__main__":
    program = importlib.import_module(f"tests.e2e.bots.{sys.argv[2]}")
    gc.freeze()  # what the children share stays shared
    given = fork_on_orders(socket.socket(fileno=int(sys.argv[1])))
    if given is not None:
        sys.argv[1:] = given
        program.main()
