"""Who is who: the bot id inside a token, and the identity of this process.

A pid alone proves nothing: it is reused, and it means something else in another PID namespace. A process
is named by boot id, PID namespace, pid and start time together (facts: coordination, section 2.7).
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NewType

BotId = NewType("BotId", int)
SessionId = NewType("SessionId", str)
Term = NewType("Term", int)

_BOT_ID = re.compile(r"(\d{1,16})(?::|%3[aA])")


def bot_id_of(token: str) -> BotId:
    """The bot id: the digits before the colon of a token, or of a Bot API path that holds one.

    Raises ValueError, without the text, where there is none.
    """
    found = _BOT_ID.search(token)
    if found is None:
        raise ValueError("no bot token here: expected digits, a colon and a secret")
    return BotId(int(found[1]))


_COUNT_BITS = 10


def first_term(created: float) -> Term:
    """The first term of a store that was made then: seconds times 2^20, in steps of a millisecond.

    So terms never go back when a damaged store is made anew, and the low bits count the changes.
    """
    return Term(int(created * 2 ** (20 - _COUNT_BITS)) << _COUNT_BITS)


def short_term(term: int) -> int:
    """The part of a term that people compare: how often the claim changed hands, modulo 1024."""
    return term & ((1 << _COUNT_BITS) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process that guards bots, as others see it."""

    host: str
    boot_id: str
    pid_namespace: int
    pid: int
    start_ticks: int
    started_at: float
    """Wall clock, seconds; only for people to read."""
    label: str = ""
    priority: int = 0

    @property
    def who(self) -> str:
        """For logs: `HOST pid 811 ('blue')`."""
        label = f" ({self.label!r})" if self.label else ""
        return f"{self.host} pid {self.pid}{label}"


def own_identity(*, label: str = "", priority: int = 0) -> Identity:
    """The identity of the calling process."""
    pid = os.getpid()
    return Identity(
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid_namespace=pid_namespace(),
        pid=pid,
        start_ticks=start_ticks(pid) or 0,
        started_at=time.time(),
        label=label,
        priority=priority,
    )


def new_session_id() -> SessionId:
    """A fresh random id; it is also the name of the session's file."""
    return SessionId(secrets.token_hex(8))


def boot_id() -> str:
    """The kernel's id of this boot; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def pid_namespace() -> int:
    """The inode of our PID namespace; 0 where there is none."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is no such process.

    Field 22 of its stat line, counted after the last parenthesis: the name may hold spaces.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(line.rpartition(")")[2].split()[19])


if sys.platform == "linux":
    # No function of ours around it: it is read at each poll.
    boot_clock: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    """Seconds since boot, counted on while the machine sleeps. Comparable between processes of a host."""

else:
    boot_clock: Callable[[], float] = time.monotonic
    """Monotonic seconds; whether they count sleep depends on the platform."""
