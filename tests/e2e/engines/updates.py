"""The updates of many bots without a server: a file that all processes have mapped.

Each bot is sent one message at a fixed pace, so what exists is a matter of the clock, and all that is kept is
how far each bot's updates are confirmed, as Telegram keeps it. A poll is answered at once if there is
something, else when the next message comes or its timeout is over. Nobody is told of a conflict: two who poll
are both given what there is, which hides nothing.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
from pathlib import Path
from typing import Any

from onepoller.coordination.identity import boot_clock

FIRST_BOT = 8000000001
MOST = 100
"""Updates in one answer."""
_HEAD = struct.Struct("=ddd")
_NUMBER = struct.Struct("=q")


class Updates:
    """The numbered updates of so many bots."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 0)
        self.bots = [FIRST_BOT + i for i in range((len(self._map) - _HEAD.size) // _NUMBER.size)]

    @classmethod
    def make(cls, file: Path, *, bots: int, every: float) -> Updates:
        """For so many bots, each of which gets a message every so many seconds from now on."""
        file.write_bytes(_HEAD.pack(boot_clock(), every, float("inf")) + bytes(bots * _NUMBER.size))
        return cls(file)

    def stop(self) -> dict[int, range]:
        """Send no more messages; the updates of each bot."""
        start, every, _ = self._head
        _HEAD.pack_into(self._map, 0, start, every, boot_clock())
        return {bot: range(1, self._made(bot) + 1) for bot in self.bots}

    def confirmed(self) -> dict[int, int]:
        """How far each bot's updates are confirmed."""
        return {bot: self._confirmed(bot) for bot in self.bots}

    async def poll(self, bot: int, parameters: dict[str, Any]) -> dict[str, Any]:
        """One getUpdates."""
        deadline = boot_clock() + parameters["timeout"]
        offset = parameters.get("offset", 0)
        if offset - 1 > self._confirmed(bot):
            _NUMBER.pack_into(self._map, self._place(bot), offset - 1)
        while True:
            first, last = self._confirmed(bot) + 1, self._made(bot)
            if first <= last:
                ids = range(first, min(last, first + MOST - 1) + 1)
                return {"ok": True, "result": [{"update_id": number} for number in ids]}
            left = min(deadline, self._due(bot, last + 1)) - boot_clock()
            if boot_clock() >= deadline:
                return {"ok": True, "result": []}
            await asyncio.sleep(max(left, 0.001))

    @property
    def _head(self) -> tuple[float, float, float]:
        start, every, end = _HEAD.unpack_from(self._map)
        return start, every, end

    def _due(self, bot: int, number: int) -> float:
        """When this update is sent; each bot has its own moment, so that not all come at once."""
        start, every, end = self._head
        due: float = start + every * (number + (bot - FIRST_BOT) / len(self.bots))
        return due if due <= end else float("inf")

    def _made(self, bot: int) -> int:
        start, every, end = self._head
        passed = min(boot_clock(), end) - start
        return max(int(passed / every - (bot - FIRST_BOT) / len(self.bots)), 0)

    def _place(self, bot: int) -> int:
        return _HEAD.size + (bot - FIRST_BOT) * _NUMBER.size

    def _confirmed(self, bot: int) -> int:
        number: int = _NUMBER.unpack_from(self._map, self._place(bot))[0]
        return number
