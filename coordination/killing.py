"""Ending the holder for `replace` with `kill_after`: never by a bare pid.

The pid is pinned by a pidfd first, then boot id, PID namespace and start time are compared *through* it, so
that a recycled pid is never hit (facts: coordination, section 2.7).
"""

from __future__ import annotations

import asyncio
import os
import signal

from onepoller.coordination.identity import Identity, boot_id, pid_namespace, start_ticks

TERM_WAIT = 10.0
"""After SIGTERM the process has so many seconds before SIGKILL."""


def open_pidfd(holder: Identity) -> int | None:
    """A pidfd of exactly this process, or None where it is not on this host, not ours to see, or gone."""
    if holder.boot_id != boot_id() or holder.pid_namespace != pid_namespace() or holder.pid == os.getpid():
        return None
    try:
        pidfd = os.pidfd_open(holder.pid)
    except (OSError, AttributeError):
        return None
    if start_ticks(holder.pid) != holder.start_ticks:
        os.close(pidfd)
        return None
    return pidfd


async def kill(holder: Identity, *, term_wait: float = TERM_WAIT) -> None:
    """SIGTERM, wait, SIGKILL. Does nothing where the process cannot be proved to be the one that is meant."""
    pidfd = open_pidfd(holder)
    if pidfd is None:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                signal.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                return
            except PermissionError:
                # Another user's process: the fence by the next term is all that is left.
                return
            if await _has_ended(pidfd, term_wait):
                return
    finally:
        os.close(pidfd)


async def _has_ended(pidfd: int, seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pidfd)
    return True
