"""The words of systemd (sd_notify(3)): a datagram to $NOTIFY_SOCKET; without that variable, nothing.

Nothing of systemd is needed. A socket that cannot be reached is told once and never disturbs the bot.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger("onepoller")

OWN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables that are meant for this process, not for its child."""


class Notifier:
    """Speaks to the service manager that started this process, if one did."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract address; other kinds (vsock) are for virtual machines.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        if not address.startswith(("@", "/")):
            self._address = ""
        self.watchdog_every = _watchdog_every(environment) if self._address else None
        """Send `WATCHDOG=1` so often, seconds: twice in the time that is allowed. None: nobody asked."""

    def tell(self, **words: str) -> None:
        """Send assignments: `tell(READY="1", STATUS="...")`."""
        if not self._address:
            return
        message = "\n".join(f"{name}={' '.join(value.splitlines())}" for name, value in words.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.settimeout(0)
            try:
                speaker.sendto(message.encode(), self._address)
            except BlockingIOError:
                # The manager is busy; the next word says the same or newer.
                return
            except OSError as error:
                self._address = ""
                _log.warning("NOTIFY_SOCKET cannot be reached (%s): systemd is told nothing more", error)


def _watchdog_every(environment: Mapping[str, str]) -> float | None:
    allowed, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not allowed.isdecimal() or int(allowed) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(allowed) / 2e6
