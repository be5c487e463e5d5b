"""Act 6's processes: a proxy, and behind it a bot that knows its base URL and nothing of onepoller.

What a proxy sends goes to the fake under the pair's name, so that the journal tells the pairs apart and the
bot need not. A pair is killed as a whole, as when its container dies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onepoller.demo.bots import PATIENCE, Bot, BotFailed

_LOOK_EVERY = 0.02
"""How often a log is looked at, seconds."""
_ROLES = {"polling": "polling bot", "standby": "standing by"}
"""What a proxy's log says of its role."""


class Pair(Bot):
    """A bot and its proxy, which is there before it."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], errors: Path, *, proxy: Bot
    ) -> None:
        self._proxy = proxy
        self._was_killed = False
        self._left = False
        super().__init__(name, command, environment, errors)

    def wait_role(self, role: str) -> None:
        """Wait until the proxy's log tells this role, as a person would see it."""
        end = time.monotonic() + PATIENCE
        while not any(_ROLES[role] in line for line in self._proxy.log()):
            if time.monotonic() > end:
                raise BotFailed(f"{self._proxy.name} is not {role}: {self._proxy.last_words()}")
            time.sleep(_LOOK_EVERY)

    @property
    def has_left(self) -> bool:
        """Whether the bot has ended by itself."""
        return self._left if self._was_killed else self.has_ended

    def kill(self) -> None:
        """Send SIGKILL to the proxy and to the bot, in one go."""
        self._left, self._was_killed = self.has_left, True
        self._proxy.kill()
        super().kill()

    def ended(self) -> int:
        """Wait until both have ended; gives the bot's exit status."""
        self._proxy.ended()
        return super().ended()


def url_of(proxy: Bot) -> str:
    """Wait until a proxy listens; gives its URL, which is the fourth word of what it prints."""
    said: dict[str, Any] = proxy.wait_said("text")
    return str(said["text"].split()[3])
