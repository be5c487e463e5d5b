"""A program of its own: it becomes COMMAND, and leaves a keeper that ends COMMAND's group when `run` dies.

    python -I -S launch.py start LIFELINE COMMAND...     started as the leader of a new process group
    python -I -S launch.py keep LIFELINE GROUP           what it leaves behind

LIFELINE is the reading end of a pipe whose other end only `run` has. Its end of file means that `run` is
gone, by whatever signal: then the whole group is sent SIGKILL, at once, for a peer may poll already. One byte
means that the group has been ended. The keeper exists before COMMAND starts, so there is no moment without
one; it is no child of COMMAND's, which would find it, and no member of its group or of the terminal's.

Not covered: a COMMAND that leaves its process group (a daemon), or somebody who kills the keeper first.
(PR_SET_PDEATHSIG would reach COMMAND alone and not its children, and goes off when a *thread* of the parent
ends.) Standard library only: it is started without site-packages, in a few milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys

NOT_FOUND, NOT_EXECUTABLE = 127, 126


def start(lifeline: int, command: list[str]) -> None:
    """Fork the keeper twice, so that it is nobody's child; then become COMMAND."""
    group = os.getpid()
    if os.fork() == 0:
        if os.fork() == 0:
            _become_keeper(lifeline, group)
        os._exit(0)
    os.wait()
    os.close(lifeline)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would pass that on
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  # it is the user's own command
    except OSError as error:
        sys.stderr.write(f"onepoller: run: cannot start {command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _become_keeper(lifeline: int, group: int) -> None:
    """Leave the group and the terminal, ignore what ends COMMAND, and show a name without its arguments."""
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    keeper = [sys.executable, "-I", "-S", __file__, "keep", str(lifeline), str(group)]
    os.execv(keeper[0], keeper)  # noqa: S606  # this file


def keep(lifeline: int, group: int) -> None:
    """Wait for the byte, or for the end of `run`."""
    if os.read(lifeline, 1):
        return
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # nothing of it was left


if __name__ == "__main__":
    if sys.argv[1] == "start":
        start(int(sys.argv[2]), sys.argv[3:])
    else:
        keep(int(sys.argv[2]), int(sys.argv[3]))
